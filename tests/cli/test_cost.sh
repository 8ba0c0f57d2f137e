#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What runs cost: table, JSON, CSV, sweeps, switches, presets, and what is wrong with them.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

python3 "$(dirname "$0")/tiny_set.py" "$work/set"
cat >"$work/tiny.yaml" <<EOF
name: tiny
data: {set: $work/set, split: classes, classes_per_task: 2, augment: false}
network: {model: small, expand: 1}
train: {epochs: 1, batch: 16}
EOF
for method in xst xst-element dense; do
    run learn "$work/tiny.yaml" method=$method -q --out "$work/$method"
    code 0
done

json() {
    if python3 -c "
import json, math, sys
d = json.load(open(sys.argv[1]))
assert $1
" "$work/out" 2>"$work/python"; then held; else broken "not so: $1"; fi
}

# the table, and cost.json beside the run
run cost "$work/xst"
code 0
no_err
plain
out "xst-32nm, 72 x 72 cells of 2 bits, 5-bit ADCs"
out "reset 0 J"
out "input bits assumed"
cp "$work/xst/cost.json" "$work/out"
json 'd["schema"] == 1 and d["preset"] == "xst-32nm" and d["area_m2"] > 0 and d["arrays"] > 0'
json 'len(d["inference"]) == 2 and len(d["programming"]) == 2'
json 'all(abs(sum(t["energy_by_component"].values()) / t["energy_j"] - 1) < 1e-8 for t in d["inference"])'
json 'all(abs(sum(l["energy_j"] for l in t["layers"]) / t["energy_j"] - 1) < 1e-8 for t in d["inference"])'
json 'abs(sum(d["area_by_component"].values()) / d["area_m2"] - 1) < 1e-8'
json 'all(p["cells_reset"] == 0 and p["energy_reset_j"] == 0 and p["cells_set"] > 0 for p in d["programming"])'
json 'd["wear"]["max_writes"] == 1 and 0 < d["wear"]["mean_writes"] < 1'
json 'd["wear"]["cells"] == sum(c["cells"] for c in d["wear"]["cells_by_writes"])'
json 'd["lifetime"]["unlimited"] and d["lifetime"]["seconds"] is None'
json 'd["inference"][0]["energy_j"] < d["inference"][0]["energy_all_on_j"]'
json 'd["assumptions"]["adc.bits"] == "5"'

# one JSON document, elsewhere, the same bytes again and with any number of threads
cp "$work/xst/cost.json" "$work/first.json"
run cost "$work/xst" --json --out "$work/elsewhere/deep" -j 1
code 0
no_err
json 'd["method"] == "xst"'
if cmp -s "$work/out" "$work/first.json"; then held; else broken "the document is not cost.json"; fi
if cmp -s "$work/elsewhere/deep/cost.json" "$work/first.json"; then held; else broken "other bytes"; fi

# images are counted
run cost "$work/xst" --images 4 --json --out "$work/counted" -p circuit-32nm
code 0
json 'd["inputs"] == "counted" and d["inference"][1]["images_counted"] == 4'
json 'all(0 < l["input_bits_one"] < 1 for t in d["inference"] for l in t["layers"])'
json 'd["inference"][0]["energy_by_component"]["cell"] > 0'

# switching: columns only change their masks; single weights are written again and wear
run cost "$work/xst" --switches 1-2x1000 --json --out "$work/o"
json 'd["switching"]["energy_j"] == 0 and d["switching"]["switches"] == 2000'
run cost "$work/xst" --switches 1-2x1000 program.off=reset --json --out "$work/o"
json 'd["switching"]["energy_j"] > 0 and not d["lifetime"]["unlimited"]'
json 'd["switching"]["max_writes"] > 1000 and d["wear"]["max_writes"] > 1000'
run cost "$work/xst-element" --switches 1-2x1000 --json --out "$work/o"
json 'd["switching"]["cells_reset"] > 0 and d["lifetime"]["seconds"] > 0'
run cost "$work/dense" --json --out "$work/o"
code 0
json '[p["expected"] for p in d["programming"]] == [False, True]'
json 'd["programming"][1]["cells_reset"] > 0'

# CSV
run cost "$work/xst" --csv "$work/csv" --out "$work/o"
code 0
for file in cost_tasks cost_layers cost_programming; do
    if [ -s "$work/csv/$file.csv" ]; then held; else broken "no $file.csv"; fi
done
cp "$work/csv/cost_layers.csv" "$work/out"
if python3 - "$work/csv" "$work/first.json" 2>"$work/err" <<'EOF'; then held; else broken "CSV and JSON differ"; fi
import csv, json, sys
d = json.load(open(sys.argv[2]))
rows = list(csv.DictReader(open(sys.argv[1] + "/cost_tasks.csv")))
for row, task in zip(rows, d["inference"]):
    assert row["name"] == task["name"]
    assert abs(float(row["energy_j"]) / task["energy_j"] - 1) < 1e-8
layers = list(csv.DictReader(open(sys.argv[1] + "/cost_layers.csv")))
assert len(layers) == sum(len(t["layers"]) for t in d["inference"])
steps = list(csv.DictReader(open(sys.argv[1] + "/cost_programming.csv")))
assert [s["kind"] for s in steps[:3]] == ["learn", "learn", "switch"]
EOF

# sweeps: CSV on stdout, a line a point, the same as single runs
run cost "$work/xst" -p circuit-32nm --sweep adc.bits=4,5,6 --sweep "cell.max=2 uS..20 uS:4log"
code 0
no_err
if [ "$(wc -l <"$work/out")" -eq 13 ]; then held; else broken "not 12 points and a head"; fi
out "adc.bits,cell.max,area_m2,"
tail -n 1 "$work/out" >"$work/last"
run cost "$work/xst" -p circuit-32nm adc.bits=6 "cell.max=20 uS" --json --out "$work/o"
if python3 - "$work" 2>"$work/err" <<'EOF'; then held; else broken "a point differs from a run by itself"; fi
import json, sys
point = open(sys.argv[1] + "/last").read().split(",")
d = json.load(open(sys.argv[1] + "/out"))
for value, key in ((point[2], "area_m2"), (point[4], "mean_energy_j"), (point[5], "mean_latency_s")):
    assert abs(float(value) / d[key] - 1) < 1e-6, key
EOF
run cost "$work/xst" --sweep array.columns=36..72:3
code 2
one_err_line
run cost "$work/xst" --sweep adc.bist=4,5
code 2
err "did you mean 'adc.bits'?"
run cost "$work/xst" --sweep adc.bits=4,5 --json
code 2

# presets: printed whole they read back; what is wrong has its place
run cost "$work/xst" -p circuit-32nm --print-preset
code 0
cp "$work/out" "$work/whole.yaml"
run cost "$work/xst" -p "$work/whole.yaml" --json --out "$work/o"
code 0
json 'd["area_m2"] > 0'
printf 'adc:\n  energy: 0.5\n' >"$work/bad.yaml"
run cost "$work/xst" -p "$work/bad.yaml"
code 2
one_err_line
err "bad.yaml:2:11: 'adc.energy' is '0.5', which has no unit"
run cost "$work/xst" "adc.energy=-1 pJ"
code 2
err "negative"
run cost "$work/xst" adc.energie=1pJ
code 2
err "did you mean 'adc.energy'?"
run cost "$work/xst" -p none-such
code 2
one_err_line
run cost "$work/xst" nonsense
code 2
run cost "$work/xst" --switches 1,9
code 2
err "tasks from 1 to 2"
run cost "$work/no-such-run"
if [ "$exit_code" -ne 0 ]; then held; else broken "a run that is not there was priced"; fi
one_err_line
run cost
code 2

# a run in float has no codes
run learn "$work/tiny.yaml" quantise.weight_bits=0 quantise.activation_bits=0 data.tasks=1 -q --out "$work/float"
run cost "$work/float"
if [ "$exit_code" -ne 0 ]; then held; else broken "a run in float was priced"; fi
one_err_line
if [ ! -e "$work/float/cost.json" ]; then held; else broken "a bill of a failure"; fi

# help
run help cost
code 0
out "hardware/xst-32nm"
run explain --hardware adc.count
code 0
out "converters"

finish
