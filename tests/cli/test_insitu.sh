#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Training on crossbars from outside: a whole tiny run with its plain one, what it leaves behind,
# killed and gone on with, and what is refused.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

python3 "$(dirname "$0")/tiny_set.py" "$work/set" 160
cat >"$work/tiny.yaml" <<EOF
name: crossbars
seed: 5
threads: 1
data:
  set: $work/set
  split: classes
  classes_per_task: 2
  flip: false
  pad: 1
network:
  model: small
  expand: 1
train:
  epochs: 3
  batch: 16
run:
  checkpoint: 0.1
insitu:
  error: 0.05
  weight_unit: row
  weight: 0.3
EOF

run insitu --help
code 0
out "reconstruction"
run explain insitu.error
code 0
out "reconstruction"
run explain machine
code 0
out "PipeLayer"

run insitu "$work/tiny.yaml" --out "$work/whole"
code 0
out "energy, J"
out "reconstruction"
err "trained plainly"
for file in insitu.json metrics.json report.html plain/metrics.csv plain/checkpoints/last.safetensors; do
    if [ -s "$work/whole/$file" ]; then held; else broken "'$file' is not there"; fi
done

# sums are sums of their parts, and what stands in metrics.csv
last="insitu, its counts"
if python3 - "$work/whole" 2>"$work/err" <<'EOF'
import csv
import json
import sys

run = sys.argv[1]
root = json.load(open(run + "/insitu.json"))
assert "abstract" in root["reconstruction"]
assert root["reconstruction"] in json.load(open(run + "/metrics.json"))["reconstruction"]
for part, folder in (("trained", run), ("plain", run + "/plain")):
    r = root[part]
    for key in ("writes", "pulses", "rows_written", "reads"):
        for name, n in r[key].items():
            assert n == sum(layer[key][name] for layer in r["layers"]), (key, name)
    energy = sum(r["energy_write_j"].values()) + sum(r["energy_read_j"].values())
    assert abs(energy / r["energy_j"] - 1) < 1e-9
    assert abs((r["time_pipeline_s"] + r["time_update_s"]) / r["time_s"] - 1) < 1e-9
    first = r["layers"][0]["writes"]
    assert r["writes"]["weight"] - first["weight"] == r["writes"]["transposed"] > 0
    assert first["transposed"] == r["layers"][0]["reads"]["backward"] == r["writes"]["error"] == 0
    rows = list(csv.DictReader(open(folder + "/metrics.csv")))
    total = sum(float(row["value"]) for row in rows
                if row["split"] == "insitu" and row["name"] == "writes_activation")
    assert abs(total - r["writes"]["activation"]) <= 1e-8 * total
    by_layer = sum(float(row["value"]) for row in rows
                   if row["split"].startswith("insitu:") and row["name"] == "writes_activation")
    assert abs(by_layer - total) <= 1e-8 * total
    worn = max(max(line) for line in r["wear_map"]["writes"])
    assert worn == r["wear"]["max_writes_weight"]
    most = max(r["wear"]["max_writes_weight"], r["wear"]["max_writes_operand"])
    assert r["wear"]["max_writes"] == most
    life = r["lifetime"]
    assert abs(life["epochs"] / (life["endurance_writes"] * r["epochs"] / most) - 1) < 1e-9
    # the bill: what its tasks took is what the training took
    bill = json.load(open(folder + "/cost.json"))
    assert bill["kind"] == "training" and len(bill["programming"]) == len(r["accuracy"])
    assert abs(sum(t["energy_j"] for t in bill["programming"]) / r["energy_j"] - 1) < 1e-6
    assert sum(t["cells_written"] for t in bill["programming"]) == sum(r["writes"].values())
    assert sum(t["pulses"] for t in bill["programming"]) == sum(r["pulses"].values())
    assert bill["wear"]["max_writes"] == most and bill["lifetime"]["epochs"] == life["epochs"]
    assert bill["arrays"] >= len(r["layers"]) and "machine.write_energy" in bill["assumptions"]
trained, plain = root["trained"], root["plain"]
assert plain["rows_left_out"] == 0 < trained["rows_left_out"]
for ratio in ("energy", "writes", "pulses", "lifetime"):
    assert root["ratios"][ratio] > 1, ratio
EOF
then held; else broken "they do not add up"; fi

# the same command again changes nothing; --json is one document
run insitu "$work/tiny.yaml" --out "$work/whole" --json -q
code 0
if python3 -m json.tool "$work/out" >"$work/json"; then held; else broken "no JSON"; fi

last="insitu, its report"
if grep -q "Training on crossbars" "$work/whole/report.html" &&
    grep -q "word lines by bit-lines" "$work/whole/report.html"; then held; else broken "no section"; fi

# a finished run is priced anew with other constants: ten times the energy of each pulse
cp -r "$work/whole" "$work/priced"
run insitu "$work/tiny.yaml" machine.write_energy=3.91e-8 --out "$work/priced" -q
code 0
last="insitu, priced anew"
if python3 - "$work/whole/insitu.json" "$work/priced/insitu.json" 2>"$work/err" <<'EOF'
import json
import sys

a, b = (json.load(open(path))["trained"] for path in sys.argv[1:])
assert a["writes"] == b["writes"] and a["time_s"] == b["time_s"]
for name, energy in a["energy_write_j"].items():
    assert abs(10 * energy - b["energy_write_j"][name]) <= 1e-9 * b["energy_j"]
assert a["energy_read_j"] == b["energy_read_j"]
EOF
then held; else broken "not what it should cost"; fi

# killed and gone on with
last="insitu, killed 8 times"
cp -r "$work/whole" "$work/reference"
if python3 "$(dirname "$0")/kill_often.py" 8 "$work/reference" "$work/killed" \
    "$bin" insitu "$work/tiny.yaml" --out "$work/killed" -q >"$work/out" 2>"$work/err"; then
    held
else
    broken "it is not as if nothing had been"
fi

# what was trained is a run like any other, but only insitu goes on with it
run eval "$work/whole" --on integer
code 0
run map "$work/whole"
code 0
run learn "$work/tiny.yaml" --out "$work/whole"
code 2
one_err_line
err "ohmwise insitu"

run insitu "$work/tiny.yaml"
code 2
err "--out"
run insitu "$work/tiny.yaml" --out "$work/float" quantise.weight_bits=0 quantise.activation_bits=0
code 2
one_err_line
err "float"
run insitu "$work/tiny.yaml" --out "$work/bad" insitu.weight_unit=cells
code 2
one_err_line
err "cell, row, column, array"
run insitu "$work/tiny.yaml" --out "$work/bad" insitu.drop_errors=true insitu.size=product
code 2
one_err_line
err "insitu.size"
run insitu "$work/tiny.yaml" --dry-run insitu.error=0.25
code 0
out "error: 0.25"
no_err

# thresholds as an experiment, each compared with plain training of its own seed
cat >"$work/curve.yaml" <<EOF
name: curve
base: tiny.yaml
command: insitu
settings:
  train: {epochs: 1}
  insitu: {baseline: false, error: 0, rows: rotate}
points:
  plain: {insitu.compare: false, insitu.weight: 0, insitu.weight_unit: array}
  drawn: {insitu.choice: draw, insitu.size: product, insitu.share: lines, insitu.error_ratio: 0.7}
seeds: [1, 2]
EOF
run sweep "$work/curve.yaml" --out "$work/curve" -q
code 0
out "drawn"
last="insitu, a sweep of thresholds"
if python3 - "$work/curve" 2>"$work/err" <<'EOF'
import json
import re
import sys

folder = sys.argv[1]
energy = {}
for name in ("plain-1", "drawn-1", "plain-2", "drawn-2"):
    own = json.load(open(f"{folder}/{name}/metrics.json"))["insitu"]
    assert own["plain"] == name.startswith("plain") and own["ratios"] is None
    energy[name] = own["energy_j"]
    left = own["rows_left_out"] / (own["rows_kept"] + own["rows_left_out"])
    assert left == 0 if name.startswith("plain") else 0.2 < left < 0.7, left
page = open(f"{folder}/comparison.html").read()
section = page[page.index("Training on crossbars"):]
row = re.search(r'<th scope="row">drawn</th>(.*?)</tr>', section).group(1)
times = (energy["plain-1"] / energy["drawn-1"] + energy["plain-2"] / energy["drawn-2"]) / 2
assert f">{times:.2f}<" in row, (times, row)
assert section.count("<svg") >= 4
EOF
then held; else broken "the comparison is not right"; fi
run sweep "$work/curve.yaml" --out "$work/curve" --list
code 0
if [ "$(grep -c " finished " "$work/out")" -eq 4 ]; then held; else broken "not all are finished"; fi
sed 's/command: insitu/command: harvest/' "$work/curve.yaml" >"$work/wrong.yaml"
run sweep "$work/wrong.yaml" --list
code 2
one_err_line
err "learn and insitu"

finish
