#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs side by side: the table, the page, CSV and Markdown, conditions and their exit codes.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

python3 "$(dirname "$0")/tiny_set.py" "$work/set"
cat >"$work/tiny.yaml" <<EOF
name: tiny
data: {set: $work/set, split: classes, classes_per_task: 2, augment: false}
network: {model: small, expand: 1}
train: {epochs: 1, batch: 16}
EOF
for seed in 1 2; do
    run learn "$work/tiny.yaml" seed=$seed -q --out "$work/xst-$seed"
    code 0
done
run learn "$work/tiny.yaml" method=xst-element name=element data.tasks=1 -q --out "$work/element"
code 0

# runs that differ in the seed are one line; the run of one task limits what is compared
run compare "$work/xst-1" "$work/xst-2" "$work/element"
code 0
no_err
plain
if [ "$(wc -l <"$work/out")" -eq 4 ]; then held; else broken "not a line a method"; fi
out "of tasks 1 to 1, which all have"
run compare "$work/xst-1" "$work/xst-2" first="$work/element" -o "$work/page.html" \
    --csv "$work/runs.csv" --markdown --published "$source_folder/docs/results/cpg-cifar100.json"
code 0
no_err
out "| task | tiny | tiny, not rounded | first | first, not rounded | CPG, published |"
out "| **mean of tasks 1 to 1** |"
out "- tiny: 2 tasks of 1 epochs, seeds 1, 2, forgetting 0.000000, logits of earlier tasks identical"
out "the models were chosen on the test images"
for text in "<html" "CPG, published" "<th scope=\"row\">method.unit</th>" "xst-element"; do
    if grep -qF -e "$text" "$work/page.html"; then held; else broken "the page lacks '$text'"; fi
done

# the numbers are those of the runs
cp "$work/runs.csv" "$work/out"
if python3 - "$work" 2>"$work/err" <<'EOF'; then held; else broken "CSV and metrics.json differ"; fi
import csv, json, statistics, sys
work = sys.argv[1]
rows = list(csv.DictReader(open(work + "/runs.csv")))
assert len(rows) == 2 + 2 + 1 + 20, len(rows)
for name in ("xst-1", "xst-2", "element"):
    metrics = json.load(open(f"{work}/{name}/metrics.json"))
    own = [row for row in rows if row["run"] == f"{work}/{name}"]
    assert len(own) == len(metrics["tasks"])
    for row, task in zip(own, metrics["tasks"]):
        assert int(row["seed"]) == metrics["seed"]
        assert row["name"] == task["name"]
        for key in ("accuracy", "accuracy_float", "train_seconds", "mask_bytes"):
            assert abs(float(row[key]) - task[key]) < 1e-9 * max(1, task[key]), key
        # batch norm, head and clips of a task, 4 bytes a number
        assert float(row["beside_bytes"]) > 0 and float(row["beside_bytes"]) % 4 == 0
EOF

# the same page by report
run report "$work/xst-1" "$work/xst-2" -o "$work/reported.html"
code 0
out "reported.html"
if grep -q "<html" "$work/reported.html"; then held; else broken "no page"; fi
run report "$work/xst-1" "$work/xst-2"
code 2
err "give --out"

# conditions
run compare "$work/xst-1" "$work/xst-2" --require 'mean_accuracy>=0' --require 'forgetting==0' \
    --require 'logits_identical==true' --require 'tasks[2].epochs==1'
code 0
no_err
run compare "$work/xst-1" "$work/xst-2" --require 'mean_accuracy>=0' --require 'mean_accuracy>=1.5' \
    --require 'seed==1'
code 4
out "tiny"
if [ "$(wc -l <"$work/err")" -eq 2 ]; then held; else broken "not a line a condition"; fi
err "not met: 'mean_accuracy>=1.5': '$work/xst-1' has "
err "not met: 'seed==1': '$work/xst-2' has 2"
run compare "$work/xst-1" "$work/element" --require 'forgetting==0'
code 4
err "has not measured it"
rm -f "$work/page.html"
run compare "$work/xst-1" -o "$work/page.html" --require 'no_such>=1'
code 2
no_out
one_err_line
err "no run has the field 'no_such'"
if [ -e "$work/page.html" ]; then broken "half of the work was done"; else held; fi
run compare "$work/xst-1" --require 'mean_accuracy'
code 2
err "is no condition"

# what is no run, no published row, no place for a page
run compare "$work/xst-1" "$work/no-such"
code 1
one_err_line
err "no-such' has no metrics.json"
run compare
code 2
mkdir "$work/cut"
head -c 200 "$work/xst-1/metrics.json" >"$work/cut/metrics.json"
run compare "$work/xst-1" "$work/cut"
code 3
one_err_line
err "cut/metrics.json:"
echo '{"name": "x", "accuracy": [81.2]}' >"$work/row.json"
run compare "$work/xst-1" --published "$work/row.json"
code 3
err "row.json"
run compare "$work/xst-1" -o "$work/no-such/page.html"
code 1
one_err_line
run compare "$work/xst-1/metrics.json" # a file by itself is a run too
code 0

finish
