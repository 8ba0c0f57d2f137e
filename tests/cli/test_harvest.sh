#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Harvested power: what is printed and written, the same whatever the threads, and what is refused.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

json() {
    if python3 -c "
import json, math, sys
d = json.load(open(sys.argv[1]))
assert $1
" "$work/out" 2>"$work/python"; then held; else broken "not so: $1"; fi
}

cat >"$work/tiny.yaml" <<END
name: tiny
network: {expand: 1}
power: {traces: [wifi, $work/own.csv], length: 0.5 s, step: 1 ms, of_threshold: 0.3}
harvest: {networks: [lenet@28x1, small@16], seeds: 2, predictors: [oracle, average], points: 30}
END
{
    echo "time_ms,power_mw"
    i=0
    while [ $i -lt 200 ]; do
        echo "$((3 * i)),$((i % 7))"
        i=$((i + 1))
    done
} >"$work/own.csv"

# all cases, the files, and that this is a reconstruction
run harvest "$work/tiny.yaml" --out "$work/run" -j 2
code 0
no_err
plain
out "reconstruction"
out "resischedule"
for file in harvest.json harvest.csv harvest_modes.csv harvest_timeline.csv harvest.yaml harvest.html; do
    if [ -s "$work/run/$file" ]; then held; else broken "no $file"; fi
done
cp "$work/run/harvest.json" "$work/out"
json 'd["schema"] == 1 and "reconstruction" in d["note"] and d["published"]["throughput_over_baseline"] == 8'
json 'len(d["results"]) == 3 * 2 * 4 * 2 and len(d["traces"]) == 3 and len(d["networks"]) == 2'
json 'all(r["used_j"] <= r["harvested_j"] and r["inferences"] <= r["bound_inferences"] for r in d["results"])'
json 'all(abs(r["used_j"] + r["lost_j"] - r["harvested_j"]) <= 1e-6 * r["harvested_j"] for r in d["results"])'
json 'all(n["threshold_w"] < n["threshold_full_w"] for n in d["networks"])'
json 'any(r["scheduler"] == "resischedule" and r["inferences"] > 0 for r in d["results"])'
json 'all(abs(r["mean_w"] / (0.3 * n["threshold_full_w"]) - 1) < 1e-6 for r in d["results"] for n in d["networks"] if n["name"] == r["network"])'
if python3 - "$work/run" 2>"$work/err" <<'END'; then held; else broken "CSV and JSON differ"; fi
import csv, json, sys
d = json.load(open(sys.argv[1] + "/harvest.json"))
rows = list(csv.DictReader(open(sys.argv[1] + "/harvest.csv")))
assert len(rows) == len(d["results"])
for row, r in zip(rows, d["results"]):
    assert row["trace"] == r["trace"] and row["scheduler"] == r["scheduler"]
    assert int(row["inferences"]) == r["inferences"]
    assert abs(float(row["used_j"]) - r["used_j"]) <= 1e-6 * r["used_j"]
points = list(csv.DictReader(open(sys.argv[1] + "/harvest_timeline.csv")))
assert len(points) == 30 * len(rows)
assert sum(int(p["finished"]) for p in points) == sum(r["inferences"] for r in d["results"])
modes = list(csv.DictReader(open(sys.argv[1] + "/harvest_modes.csv")))
last = {}
for m in modes:
    key = (m["network"], m["layer"])
    power, time = float(m["power_w"]), float(m["layer_s"])
    assert key not in last or (power > last[key][0] and time < last[key][1])
    last[key] = (power, time)
assert len(last) == sum(len(n["layers"]) for n in d["networks"])
END

# the same bytes with one thread, and as one document
run harvest "$work/tiny.yaml" --json -j 1
code 0
no_err
if cmp -s "$work/out" "$work/run/harvest.json"; then held; else broken "other results with one thread"; fi
run harvest "$work/run/harvest.yaml" --json
code 0
if cmp -s "$work/out" "$work/run/harvest.json"; then held; else broken "the saved config gives other results"; fi

# the page again, by report
run report "$work/run"
code 0
out "harvest.html"
for text in "A reconstruction" "Power and mode over time" "Throughput and utilisation" "Against the baseline"; do
    if grep -qF -e "$text" "$work/run/harvest.html"; then held; else broken "the page lacks '$text'"; fi
done
mkdir "$work/damaged"
printf '{"schema": 1' >"$work/damaged/harvest.json"
run report "$work/damaged"
code 3
one_err_line
if [ ! -e "$work/damaged/harvest.html" ]; then held; else broken "a page of nothing"; fi

# looks
run harvest "$work/tiny.yaml" --traces
code 0
out "own.csv"
out "correlation"
run harvest "$work/tiny.yaml" --traces --json
json 'd["traces"][2]["seed"] is None and d["traces"][2]["samples"] == 200'
run harvest "$work/tiny.yaml" --modes
code 0
out "conv1"
run harvest "$work/tiny.yaml" --modes --json
json 'd["networks"][0]["layers"][0]["rows"] == 25'

# presets of traces, of hardware, and keys of it
run harvest harvest/first --power rf-home power.length=0.1 --json -p isaac-32nm --hardware adc.count=2
code 0
json 'd["preset"] == "isaac-32nm" and d["traces"][0]["name"] == "wifi" and len(d["traces"]) == 1'

# a capacitor keeps what else is lost
run harvest "$work/tiny.yaml" --json power.traces=wifi harvest.seeds=1 "storage.energy=1 uJ" harvest.predictors=oracle
json 'all(r["used_j"] + r["stored_j"] <= r["harvested_j"] for r in d["results"])'

# what is refused, in one line each
refuse() {
    expected=$1
    text=$2
    shift 2
    run harvest "$@"
    code "$expected"
    one_err_line
    no_out
    err "$text"
}
refuse 2 "--out" "$work/tiny.yaml"
refuse 2 "cannot go together" "$work/tiny.yaml" --traces --modes
refuse 2 "no --out" "$work/tiny.yaml" --traces --out "$work/none"
refuse 2 "which is unknown" "$work/tiny.yaml" --json harvest.schedulers=fool
refuse 2 "known are oracle, last, average" "$work/tiny.yaml" --json harvest.predictors=crystal
refuse 2 "twice" "$work/tiny.yaml" --json harvest.schedulers=full,full
refuse 2 "did you mean 'lenet'" "$work/tiny.yaml" --json harvest.networks=lanet
refuse 2 "image size" "$work/tiny.yaml" --json harvest.networks=lenet@x
refuse 2 "both scale" "$work/tiny.yaml" --json "power.mean=1 mW"
refuse 2 "no unit" "$work/tiny.yaml" --json wifi.power=1
refuse 2 "integers" "$work/tiny.yaml" --json quantise.weight_bits=0 quantise.activation_bits=0
refuse 2 "arrays, but there are" "$work/tiny.yaml" --json harvest.arrays=2
refuse 2 "did you mean" "$work/tiny.yaml" --json harvest.scheduler=full
refuse 2 "key=value" "$work/tiny.yaml" --json nonsense
refuse 2 "did you mean 'adc.bits'" "$work/tiny.yaml" --json --hardware adc.bist=4
refuse 1 "cannot open the trace" "$work/tiny.yaml" --json power.traces="$work/absent.csv"
printf 'time_s,power_w\n0,1\n1,-2\n' >"$work/bad.csv"
refuse 3 "bad.csv:3:3: '1,-2' has a negative power" "$work/tiny.yaml" --json power.traces="$work/bad.csv"
if [ ! -e "$work/none" ]; then held; else broken "a folder of nothing"; fi

# a folder that cannot be
echo >"$work/file"
refuse 1 "file" "$work/tiny.yaml" power.length=0.01 --out "$work/file/run"

# the network of a learned run
python3 "$(dirname "$0")/tiny_set.py" "$work/set"
cat >"$work/learn.yaml" <<END
data: {set: $work/set, split: classes, classes_per_task: 2, augment: false, tasks: 1}
network: {model: small, expand: 1}
train: {epochs: 1, batch: 16}
END
run learn "$work/learn.yaml" -q --out "$work/learned"
run harvest "$work/tiny.yaml" --json harvest.networks="$work/learned" power.traces=wifi harvest.seeds=1
code 0
json 'd["networks"][0]["layers"][-1]["columns"] == 2 and d["networks"][0]["layers"][0]["name"] == "conv1"'

json 'd["networks"][0]["task"] == 1 and d["networks"][0]["levels"] == []'
json 'all(0 < l["on"] <= 1 for l in d["networks"][0]["layers"]) and min(l["on"] for l in d["networks"][0]["layers"]) < 1'
json 'all(r["accuracy"] is None and r["at_level"] is None for r in d["results"])'
refuse 2 "task 2 is not learned yet" "$work/tiny.yaml" --json harvest.networks="$work/learned" harvest.task=2

# with fewer of its columns on: the accuracy of all of them is the run's, images are counted by level
run harvest "$work/tiny.yaml" --json harvest.networks="$work/learned" power.traces=wifi harvest.seeds=1 \
    harvest.schedulers=full,volatile,resischedule,adaptive "harvest.levels=[1, 0.5]"
code 0
cp "$work/out" "$work/adaptive.json"
json "abs(d['networks'][0]['levels'][0]['accuracy'] - json.load(open('$work/learned/metrics.json'))['tasks'][0]['accuracy_integer']) < 1e-9"
json 'd["networks"][0]["levels"][1]["columns_on"] < 0.6 * d["networks"][0]["levels"][0]["columns_on"]'
json 'all(sum(r["at_level"]) == r["inferences"] and r["used_j"] <= r["harvested_j"] and r["inferences"] <= r["bound_inferences"] for r in d["results"])'
json '{r["scheduler"]: r["inferences"] for r in d["results"] if r["predictor"] == "oracle"}["adaptive"] >= {r["scheduler"]: r["inferences"] for r in d["results"] if r["predictor"] == "oracle"}["resischedule"]'
json 'any(r["at_level"][1] > 0 for r in d["results"] if r["scheduler"] == "adaptive")'
json 'all(r["images_lost"] == 0 or r["scheduler"] == "volatile" for r in d["results"])'
run harvest "$work/tiny.yaml" --out "$work/levels" harvest.networks="$work/learned" power.traces=wifi harvest.seeds=1 \
    harvest.schedulers=adaptive
code 0
out "50 % of its columns"
out "right %"
if grep -qF "Fewer columns while power is short" "$work/levels/harvest.html"; then held; else broken "the page lacks levels"; fi
if grep -qF "Fewer columns" "$work/run/harvest.html"; then broken "a page of models has levels"; else held; fi
refuse 2 "needs a learned run" "$work/tiny.yaml" --json harvest.schedulers=adaptive
refuse 2 "must fall from 1" "$work/tiny.yaml" --json "harvest.levels=[0.5, 1]"

# stopped: what is done is kept, the same command goes on, and ends with the same bytes
many="power.length=1 harvest.seeds=16"
# shellcheck disable=SC2086 # words
"$bin" harvest "$work/tiny.yaml" $many --out "$work/stopped" -j 1 >"$work/out" 2>"$work/err" </dev/null &
job=$!
last="harvest, stopped"
sleep 1
kill -TERM "$job"
exit_code=0
wait "$job" || exit_code=$?
if [ "$exit_code" -eq 0 ] || [ ! -e "$work/stopped/harvest.kept" ]; then
    echo "not tried: none or all of the cases were done before the stop"
else
    code 75
    err "the same command goes on"
    if [ ! -e "$work/stopped/harvest.json" ]; then held; else broken "results of half of the cases"; fi
    cp -r "$work/stopped" "$work/torn"
    # other cases begin anew; a torn file is one error
    run harvest "$work/tiny.yaml" power.length=0.1 --out "$work/other" -q
    cp "$work/stopped/harvest.kept" "$work/other"
    run harvest "$work/tiny.yaml" power.length=0.1 --out "$work/other" -q
    code 0
    head -c 1000 "$work/stopped/harvest.kept" >"$work/torn/harvest.kept"
    # shellcheck disable=SC2086
    run harvest "$work/tiny.yaml" $many --out "$work/torn"
    code 3
    err "harvest.kept' are damaged"
    # shellcheck disable=SC2086
    run harvest "$work/tiny.yaml" $many --out "$work/stopped" -q
    code 0
    # shellcheck disable=SC2086
    run harvest "$work/tiny.yaml" $many --out "$work/unstopped" -q
    for file in harvest.json harvest.csv harvest_timeline.csv; do
        if cmp -s "$work/stopped/$file" "$work/unstopped/$file"; then held; else broken "$file is another after a stop"; fi
    done
    if [ ! -e "$work/stopped/harvest.kept" ]; then held; else broken "what was kept stays"; fi
fi

# its images really computed in tiles while the power fails: the same logits
run harvest "$work/learned" --verify 3
code 0
no_err
json 'd["identical"] and d["counted_once"] and d["images"] == 3 and d["power_failures"] > 10'
refuse 2 "cannot go together" "$work/learned" --verify 3 --modes
refuse 2 "has its own" "$work/learned" --verify 3 adc.bits=4
refuse 2 "allowed are" "$work/learned" --verify 0
run harvest "$work/nowhere" --verify 1
if [ "$exit_code" -ne 0 ]; then held; else broken "a run that is not there was verified"; fi
one_err_line

# the benchmark and the help
run bench harvest --model lenet --way 864s --quiet
code 0
json 'd["ohmwise"]["ways"][0]["event_s"] > 0 and d["ohmwise"]["ways"][0]["segments"] == 864000'
run help harvest
code 0
out "reconstruction"
run explain harvest.slot
code 0
out "slot"

finish
