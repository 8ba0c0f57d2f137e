#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Simulations of a tiny run: what is printed and written, going on, adding to it, what is refused.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

python3 "$(dirname "$0")/tiny_set.py" "$work/set"
cat >"$work/tiny.yaml" <<EOF
name: tiny
threads: 1
data: {set: $work/set, split: classes, classes_per_task: 2, augment: false}
network: {model: small, expand: 1}
train: {epochs: 6, batch: 16}
adc: {range: ideal}
EOF
run learn "$work/tiny.yaml" --out "$work/run" -q
code 0

json() {
    if python3 -c "
import json, sys
d = json.load(open(sys.argv[1]))
p = d['points']
assert $1
" "$file" 2>"$work/python"; then held; else broken "not so: $1"; fi
}
file=$work/run/simulate.json

# nothing wrong: the integer network's accuracy, on every chip
run simulate "$work/run" adc.range=ideal --chips 2
code 0
out "integer network, nothing wrong"
out "adc.range=ideal"
err "chip 2/2, read 1/1"
plain
json 'd["schema"] == 1 and len(p) == 1 and p[0]["effects"] == [] and len(p[0]["chips"]) == 2'
json 'p[0]["chips"][0]["reads"][0] == [t["accuracy"] for t in d["integer"]]'
json 'p[0]["deviation"] == 0 and p[0]["mean"] == p[0]["least"] == p[0]["most"]'

# a sweep adds points; the same command changes nothing; more chips are added to those that are there
run simulate "$work/run" adc.range=ideal --sweep fault.stuck_off=0.05,0.9 --chips 2 -q
code 0
no_err
json '[q["label"] for q in p[1:]] == ["adc.range=ideal fault.stuck_off=0.05", "adc.range=ideal fault.stuck_off=0.9"]'
json 'p[2]["mean"] < p[0]["mean"] and p[1]["effects"] == ["stuck cells: 0 % on, 5 % off"]'
json 'p[1]["settings"]["fault.stuck_off"] == "0.05"'
cp "$file" "$work/before.json"
run simulate "$work/run" adc.range=ideal --sweep fault.stuck_off=0.05,0.9 --chips 2
code 0
no_err
if cmp -s "$file" "$work/before.json"; then held; else broken "the results changed"; fi
run simulate "$work/run" adc.range=ideal fault.stuck_off=0.9 --chips 3
code 0
err "chip 3/3"
if grep -q "chip 2/3" "$work/err"; then broken "a chip is done twice"; else held; fi
json 'len(p) == 3 and [c["seed"] for c in p[2]["chips"]] == [1, 2, 3]'

# a lower seed comes first; threads change nothing
run simulate "$work/run" adc.range=ideal fault.stuck_off=0.9 chip.seed=0 --chips 4 --threads 2 -q
code 0
json '[c["seed"] for c in p[2]["chips"]] == [0, 1, 2, 3]'
run simulate "$work/run" adc.range=ideal fault.stuck_off=0.9 chip.seed=0 --chips 4 --threads 1 -q --out "$work/other.json"
code 0
if python3 - "$file" "$work/other.json" <<'EOF'; then held; else broken "threads change results"; fi
import json, sys
a, b = (json.load(open(f))["points"] for f in sys.argv[1:])
assert a[2]["chips"] == b[0]["chips"] and a[2]["tasks"] == b[0]["tasks"]
EOF

# the page of the run has a chart of it
run report "$work/run"
code 0
if grep -q '<h2>On chips</h2>' "$work/run/report.html" && grep -q '<h3>fault.stuck_off</h3>' "$work/run/report.html"; then
    held
else
    broken "no chart in the report"
fi

# repair, each effect by itself, reads, some of the images and tasks
file=$work/effects.json
run simulate "$work/run" adc.range=ideal fault.preset=chen2015 noise.telegraph=0.5 repair.stuck=true \
    --by-effect --chips 1 --reads 2 --images 20 --task 2 --out "$file" --json -q
code 0
json '[q["only"] for q in p] == [None, "stuck cells", "telegraph noise"]'
json '[len(q["chips"][0]["reads"]) for q in p] == [2, 1, 2] and p[0]["task_numbers"] == [2]'
json 'p[1]["mean"] == d["integer"][0]["accuracy"] and d["integer"][0]["images"] == 20'
cp "$work/out" "$work/printed.json"
if python3 -c 'import json, sys
assert json.load(open(sys.argv[1])) == json.load(open(sys.argv[2]))' "$file" "$work/printed.json"; then
    held
else
    broken "--json"
fi

# converters of many bits change nothing to speak of, of one bit everything; noise differs by read
file=$work/converters.json
run simulate "$work/run" adc.range=full --sweep adc.bits=1,12 --chips 1 -q --out "$file"
code 0
json 'abs(p[1]["mean"] - sum(t["accuracy"] for t in d["integer"]) / 2) < 0.03 and p[0]["mean"] < p[1]["mean"]'
run simulate "$work/run" adc.range=calibrated adc.bits=8 adc.images=4 fault.preset=chen2015 repair.stuck=true \
    repair.range=true noise.bandwidth=1e7 --chips 1 --reads 2 -q --out "$file"
code 0
out "thermal and shot noise"
json 'len(p[2]["chips"][0]["reads"]) == 2 and p[2]["mean"] > p[0]["mean"]'

# fitted converters whose bits suffice change nothing
file=$work/fitted.json
run simulate "$work/run" adc.range=fitted --sweep adc.bits=3,8 --chips 1 -q --out "$file"
code 0
json 'p[1]["chips"][0]["reads"][0] == [t["accuracy"] for t in d["integer"]] and p[0]["mean"] <= p[1]["mean"]'
run eval "$work/run" --on crossbar adc.range=fitted adc.bits=8 --task 1 --logits "$work/fitted.npy"
code 0
run eval "$work/run" --on integer --task 1 --logits "$work/integer.npy"
code 0
if cmp -s "$work/fitted.npy" "$work/integer.npy"; then held; else broken "fitted converters of 8 bits differ"; fi

# errors of chips, and learning what bears them
run simulate "$work/run" fault.stuck_off=0.1 --chips 2 -q --out "$work/errors-results.json" --errors "$work/errors.json"
code 0
run simulate "$work/run" fault.stuck_off=0.1 --chips 2 -q --out "$work/errors-results.json" --errors "$work/errors.json"
code 2
err "no chip was simulated"
if python3 - "$work/errors.json" <<'EOF'; then held; else broken "the errors of layers"; fi
import json, sys
errors = json.load(open(sys.argv[1]))
layers = errors["layers"]
assert [t["task"] for t in errors["tasks"]] == [1, 2], errors["tasks"]
for i, l in enumerate(layers):
    for task in errors["tasks"]:
        assert task["layers"][i]["name"] == l["name"] and task["layers"][i]["own"] > 0.05, task
assert layers[-1]["name"] == "head", layers
# a tenth of the cells is off, of weights and of the offset column
for l in layers:
    assert l["own"] > 0.1 and l["common"] >= 0 and l["outputs"] in (17, 35), l
assert any(l["common"] > 0.1 for l in layers)
EOF
run learn "$work/tiny.yaml" --out "$work/adapted" -q adapt.noise="$work/errors.json" train.epochs=2
code 0
run simulate "$work/adapted" --chips 1 -q
code 0
run learn "$work/tiny.yaml" --out "$work/none" -q adapt.noise="$work/none.json"
code 1
err "none.json"
run learn "$work/tiny.yaml" --out "$work/wide" -q adapt.noise="$work/errors.json" network.model=vgg8 network.expand=0.1
code 3
err "'adapt.noise'"

# the faults of one chip, and learning around them
run simulate "$work/run" fault.preset=chen2015 chip.seed=7 --chips 1 -q --out "$work/chip7.json" --profile "$work/chip7.safetensors"
code 0
run learn "$work/tiny.yaml" --out "$work/around" -q adapt.profile="$work/chip7.safetensors" train.epochs=2
code 0
run simulate "$work/around" fault.preset=chen2015 chip.seed=7 --chips 1 -q
code 0
run learn "$work/tiny.yaml" --out "$work/none" -q adapt.profile="$work/none.safetensors"
code 1
err "none.safetensors"

# what cannot be
run simulate "$work/run" train.lr=1
code 2
err "'train.lr' is what the run was learned with"
run simulate "$work/run" fault.clustre=1
code 2
err "did you mean 'fault.cluster'"
run simulate "$work/run" --sweep fault.stuck_off
code 2
err "key=value,value"
run simulate "$work/run" --sweep fault.stuck_off=0.1,2
code 2
err "out of range"
run simulate "$work/run" --task 7
code 2
run simulate "$work/run" nonsense
code 2
run simulate "$work/nothing"
code 1
run simulate "$work/run" fault.map="$work/none.npy" -q
code 1
err "none.npy"
printf 'nothing' >"$work/damaged.json"
run simulate "$work/run" --out "$work/damaged.json" -q
code 3
err "not a file of simulations"
if [ "$(cat "$work/damaged.json")" = nothing ]; then held; else broken "a damaged file was changed"; fi

# results of another state of the run
run learn "$work/tiny.yaml" --out "$work/run" --force -q seed=2
code 0
file=$work/run/simulate.json
cp "$work/before.json" "$file"
run simulate "$work/run" adc.range=ideal -q
code 2
err "another state"
run simulate "$work/run" adc.range=ideal -q --force --chips 1
code 0
json 'len(p) == 1'

# a run in float has no integers for cells
run learn "$work/tiny.yaml" --out "$work/float" -q quantise.weight_bits=0 quantise.activation_bits=0 train.epochs=1
code 0
run simulate "$work/float"
code 2
err "float"
finish
