#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A whole run on a tiny data set: learn, stop and go on, eval, report; JSON is one document.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

python3 "$(dirname "$0")/tiny_set.py" "$work/set"

cat >"$work/tiny.yaml" <<EOF
name: tiny
seed: 1
threads: 1
data:
  set: $work/set
  split: classes
  classes_per_task: 2
  augment: false
network:
  model: small
  expand: 1
train:
  epochs: 6
  batch: 16
EOF

json() {
    if python3 -c "
import json, sys
d = json.load(open(sys.argv[1]))
assert $1
" "$work/out" 2>"$work/python"; then held; else broken "not so: $1"; fi
}

run learn "$work/tiny.yaml" --out "$work/run"
code 0
out "mean accuracy"
out "report.html"
err "epoch 1/6"
err "all 2 tasks are learned"
plain
for file in config.yaml manifest.json metrics.csv metrics.json layers.csv accuracy_matrix.csv \
    report.html log.txt timing.txt tasks.json checkpoints/last.safetensors; do
    if [ -s "$work/run/$file" ]; then held; else broken "no $file"; fi
done

# what the files say of the machine and of forgetting
cp "$work/run/manifest.json" "$work/out"
json 'd["version"] and d["cpu"] and d["backend"] and d["threads"] == 1 and d["dataset_sha256"]'
# the command can be typed again
run learn "$work/tiny.yaml" -qo "$work/it's a run" train.epochs=1 "name=a \$name" --threads 1
code 0
cp "$work/it's a run/manifest.json" "$work/out"
# shellcheck disable=SC2016
python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["command"], end="")' "$work/out" >"$work/command"
eval "set -- $(cat "$work/command")"
if [ "$#" -eq 9 ] && [ "$1 $2 $4 $5" = "ohmwise learn -qo $work/it's a run" ] && [ "$7" = "name=a \$name" ]; then
    held
else
    broken "the command of the manifest is $(cat "$work/command")"
fi

cp "$work/run/metrics.json" "$work/out"
json 'd["logits_identical"] is True and d["forgetting"] == 0'
json 'd["accuracy_matrix"][0][1] is None and d["accuracy_matrix"][1][0] is not None'

# a finished run again: nothing to learn, the same results as JSON, quietly
cp "$work/run/metrics.csv" "$work/first.csv"
run learn "$work/tiny.yaml" --out "$work/run" --json --quiet
code 0
no_err
json 'len(d["tasks"]) == 2 and d["finished"] and d["mean_accuracy"] > 0.8'
if cmp -s "$work/run/metrics.csv" "$work/first.csv"; then held; else broken "metrics changed"; fi

# what was not measured is null, not 0 and not true
run learn "$work/tiny.yaml" train.epochs=1 run.evaluate=own --out "$work/own" -q
code 0
out "forgetting not measured"
cp "$work/own/metrics.json" "$work/out"
json 'd["logits_identical"] is None and d["forgetting"] is None and len(d["tasks"]) == 2'
if grep -q '>not measured</dd>' "$work/own/report.html"; then held; else broken "the page"; fi
run learn "$work/tiny.yaml" train.epochs=1 method=dense --out "$work/dense" -q
code 0
cp "$work/dense/metrics.json" "$work/out"
json 'd["logits_identical"] is None and d["forgetting"] is None'
json 'all(t["new"] == l["units_total"] for l in d["layers"] for t in l["tasks"])'
run learn "$work/tiny.yaml" train.epochs=1 data.tasks=1 --out "$work/one" -q
code 0
cp "$work/one/metrics.json" "$work/out"
json 'd["logits_identical"] is None and d["forgetting"] is None and len(d["tasks"]) == 1'

# another config in the same folder is refused and named; --force discards the old run
run learn "$work/tiny.yaml" seed=2 --out "$work/run"
code 2
one_err_line
err "seed"
run learn "$work/tiny.yaml" seed=2 --out "$work/run" --force -q
code 0

# eval: all tasks, one by number, one by name, none that is there
run eval "$work/run"
code 0
no_err
out "mean accuracy"
run eval "$work/run" --json
json 'len(d["tasks"]) == 2 and d["tasks"][0]["images"] == 40'
name=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["tasks"][1]["name"])' "$work/out")
run eval "$work/run" --task "$name" --json --logits "$work/logits.npy"
code 0
json 'len(d["tasks"]) == 1 and d["tasks"][0]["task"] == 2'
if [ "$(head -c 6 "$work/logits.npy" | tail -c 5)" = NUMPY ]; then held; else broken "no .npy"; fi
run eval "$work/run" --task 3
code 2
one_err_line
err "tasks 1 to 2"
run eval "$work/run" --task 0
code 2
run eval "$work/run" --task none-such
code 2
err "no task 'none-such'"
run eval "$work/run" --logits "$work/logits.npy"
code 2
err "give --task"
run eval "$work/run" --backend none-such
if [ "$exit_code" -eq 2 ] || [ "$exit_code" -eq 5 ]; then held; else broken "code $exit_code"; fi
err "none-such"

run report "$work/run" -o "$work/page.html"
code 0
out "page.html"
if grep -q "<html" "$work/page.html"; then held; else broken "no page"; fi

# asked to stop: the checkpoint is written, 75, and the same command ends as if nothing had been
stop_with() {
    rm -rf "$work/stopped"
    : >"$work/err" # or the lines of the run before would be taken for this one's
    "$bin" learn "$work/tiny.yaml" train.epochs=400 --out "$work/stopped" \
        >"$work/out" 2>"$work/err" &
    process=$!
    waited=0
    while ! grep -q "epoch 2/" "$work/err" && [ "$waited" -lt 300 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    kill -s "$1" "$process"
    exit_code=0
    wait "$process" || exit_code=$?
    last="learn, stopped by $1"
}
for signal in TERM USR1; do
    stop_with "$signal"
    code 75
    no_out
    err "checkpoint"
    if [ -s "$work/stopped/checkpoints/last.safetensors" ]; then held; else broken "no checkpoint"; fi
done
run learn "$work/tiny.yaml" train.epochs=400 data.tasks=1 --out "$work/stopped"
code 2

finish
