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

# tasks on a backbone: copies are written at each switch, or lie in arrays of their own
run learn "$work/tiny.yaml" method=packnet data.tasks=1 -q --out "$work/backbone"
code 0
for method in finetune xma2; do
    run learn "$work/tiny.yaml" method=$method "method.backbone=$work/backbone" method.choose_ratio=0.3 -q \
        --out "$work/$method"
    code 0
    run cost "$work/$method" program.backbone=true --switches 1-2x1000 --json --out "$work/o"
    code 0
    no_err
    json 'd["switching"]["energy_j"] > 0 and not d["lifetime"]["unlimited"] and d["pes_copied"] > 0'
    json 'd["programming_backbone"]["cells_set"] > 0 and len(d["programming"]) == 2'
    cp "$work/out" "$work/rewrite.json"
    run cost "$work/$method" program.copies=arrays --switches 1-2x1000 --json --out "$work/o"
    code 0
    json 'd["switching"]["energy_j"] == 0 and d["lifetime"]["unlimited"]'
    json "d['arrays'] == json.load(open('$work/rewrite.json'))['arrays'] + d['pes_copied']"
    json 'd["programming_backbone"] is None'
    run cost "$work/$method" program.copies=arrays array.columns=40 --out "$work/o"
    if [ "$exit_code" -ne 0 ]; then held; else broken "arrays that are no PEs"; fi
    one_err_line
done
# where the run's own arrays are unless the hardware says otherwise
cp -r "$work/xma2" "$work/own"
sed -i 's/^  copies: rewrite .*/  copies: arrays/' "$work/own/config.yaml"
run cost "$work/own" --switches 1-2x1000 --json --out "$work/o"
code 0
json 'd["switching"]["energy_j"] == 0 and d["lifetime"]["unlimited"]'
run cost "$work/own" program.copies=rewrite --switches 1-2x1000 --json --out "$work/o"
code 0
json 'd["switching"]["energy_j"] > 0 and not d["lifetime"]["unlimited"]'
run cost "$work/xma2" program.backbone=true --csv "$work/csv" --out "$work/o"
code 0
out "programming the backbone and all tasks"
if grep -q '^1,backbone,0,"backbone",' "$work/csv/cost_programming.csv"; then held; else broken "no backbone"; fi

# a chip's next life: what was written counts, and is spared
run cost "$work/xst" --wear-after "$work/chip.wear" --json --out "$work/o"
code 0
json 'd["wear"]["max_writes"] == 1'
run learn "$work/tiny.yaml" "adapt.wear=$work/chip.wear" adapt.spare=8 seed=2 -q --out "$work/second"
code 0
run cost "$work/second" --wear-before "$work/chip.wear" --json --out "$work/o"
code 0
json 'd["wear"]["max_writes"] >= 2'
run cost "$work/second" --wear-before "$work/set" --out "$work/o"
if [ "$exit_code" -ne 0 ]; then held; else broken "a folder was read as wear"; fi
one_err_line
printf 'abc' >"$work/bad.wear"
run cost "$work/second" --wear-before "$work/bad.wear" --out "$work/o"
code 3
one_err_line
run learn "$work/tiny.yaml" "adapt.wear=$work/bad.wear" -q --out "$work/third"
code 3
one_err_line
run cost "$work/dense" --wear-after "$work/dense.wear" --out "$work/o"
if [ "$exit_code" -ne 0 ] && [ ! -e "$work/dense.wear" ]; then held; else broken "wear of networks of their own"; fi
run cost "$work/xst" --wear-after "$work/w" --sweep adc.bits=4,5
code 2
one_err_line

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

# priced runs show it in their pages
run cost "$work/xst-element"
code 0
run report "$work/xst" -o "$work/page.html"
code 0
for text in "Cost on crossbars" "Preset xst-32nm" "Programming" "Lifetime" "mm&sup2;"; do
    if grep -qF -e "$text" "$work/page.html"; then held; else broken "the page lacks '$text'"; fi
done
run compare "$work/xst" "$work/xst-element" -o "$work/both.html"
code 0
for text in "Cost on crossbars" "programming the chip for a task" "Accuracy against energy"; do
    if grep -qF -e "$text" "$work/both.html"; then held; else broken "the comparison lacks '$text'"; fi
done
printf '[1' >"$work/xst/cost.json"
run report "$work/xst" -o "$work/page.html"
code 0
if grep -qF "<code>cost.json</code> is not a JSON object" "$work/page.html"; then held; else broken "no remark"; fi
rm "$work/xst/cost.json"

# the sheet: presets side by side, the first one against the others
run cost "$work/xst" --sheet
code 0
no_err
out "isaac-32nm against xst-32nm"
out "neurosim-22nm against xst-32nm"
run cost "$work/xst" --sheet -p xst-32nm -p circuit-32nm
code 0
out "circuit-32nm against xst-32nm"
if grep -q isaac "$work/out"; then broken "a preset that was not asked for"; else held; fi
if [ ! -e "$work/xst/cost.json" ]; then held; else broken "the sheet wrote a bill"; fi

# a trace of DNN+NeuroSim: the counts are those of its bits
mkdir -p "$work/trace/record"
if python3 - "$work/trace" 2>"$work/err" <<'EOF'; then held; else broken "no trace was made"; fi
import random, sys
random.seed(3)
folder = sys.argv[1]
layers = [(4, 4, 2, 3, 3, 5, 1, 1), (1, 1, 80, 1, 1, 7, 0, 1)]
vectors = [4, 1]
open(folder + "/NetWork.csv", "w").write("".join(",".join(map(str, l)) + "\n" for l in layers))
words = ["./NeuroSIM/main", folder + "/NetWork.csv", "4", "2", "128", "128"]
total = 0
for i, (l, n) in enumerate(zip(layers, vectors)):
    lines = l[2] * l[3] * l[4]
    rows = [[random.choice("01") for _ in range(2 * n)] for _ in range(lines)]
    open(f"{folder}/record/input{i}.csv", "w").write("".join(",".join(r) + "\n" for r in rows))
    weights = [[f"{random.randint(-7, 7) / 7:.6f}" for _ in range(l[5])] for _ in range(lines)]
    open(f"{folder}/record/weight{i}.csv", "w").write("".join(",".join(w) + "\n" for w in weights))
    words += [f"record/weight{i}.csv", f"record/input{i}.csv"]
    total += sum(r.count("1") for r in rows)
open(folder + "/trace_command.sh", "w").write(" ".join(words) + "\n")
open(folder + "/ones", "w").write(str(total))
EOF
run cost --trace "$work/trace/trace_command.sh" -p circuit-32nm --json --out "$work/o"
code 0
no_err
json 'd["method"] == "trace" and len(d["inference"]) == 1 and len(d["inference"][0]["layers"]) == 2'
json 'd["inference"][0]["layers"][0]["vectors"] == 4 and d["inference"][0]["layers"][0]["input_bits"] == 2'
# 18 rows lie in one array, 80 in two, each output in one block: every bit that is 1 drives one line
json "sum(l['word_lines_driven'] for l in d['inference'][0]['layers']) == $(cat "$work/trace/ones")"
json '[l["conversions"] for l in d["inference"][0]["layers"]] == [10 * 8, 2 * 14 * 2]'
json '"programming" not in d'
run cost --trace "$work/trace/trace_command.sh" --rows 40 --json --out "$work/o"
json 'd["inference"][0]["layers"][1]["arrays"] == 2 and d["arrays"] == 3'
echo "0,1" >>"$work/trace/record/input1.csv"
sed -i '3s/,.*/,2/' "$work/trace/record/weight0.csv"
run cost --trace "$work/trace/trace_command.sh" --out "$work/o"
code 3
one_err_line
err "weight0.csv:3: weights"
printf 'main %s/NetWork.csv 4 2 a.csv\n' "$work/trace" >"$work/short.sh"
run cost --trace "$work/short.sh" --out "$work/o"
code 3
err "2 layers, but there are 1 files"
run cost --trace "$work/trace/NetWork.csv" --out "$work/o"
code 3
one_err_line
run cost --trace "$work/trace/trace_command.sh"
code 2
err "--out"

# the benchmark
run bench cost --model small --repeats 3 -j 1 --quiet
code 0
json 'd["ohmwise"]["image_s"] > 0 and d["ohmwise"]["energy_j"] > 0' 

# help
run help cost
code 0
out "hardware/xst-32nm"
run explain --hardware adc.count
code 0
out "converters"

finish
