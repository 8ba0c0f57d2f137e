#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A sweep on a tiny data set: its list, its runs, what is passed over, stopped and gone on with;
# and everything that must be refused before a run starts, with its place.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

python3 "$(dirname "$0")/tiny_set.py" "$work/set"
cat >"$work/base.yaml" <<EOF
data: {set: $work/set, split: classes, classes_per_task: 2, augment: false}
network: {model: small, expand: 1}
train: {epochs: 2, batch: 16}
EOF
cat >"$work/tiny.yaml" <<EOF
name: tiny
base: base.yaml
settings:
  train: {lr: 0.02}
points:
  column: {method: xst}
  element: {method: xst-element}
grid:
  train.epochs: [1, 2]
seeds: [1, 2]
EOF

holds() {
    if "$@"; then held; else broken "not so: $*"; fi
}

# the runs, in order, with nothing started
run sweep "$work/tiny.yaml" --list
code 0
no_err
plain
holds [ "$(wc -l <"$work/out")" -eq 9 ]
first=$(sed -n 2p "$work/out" | tr -s ' ')
holds [ "$first" = "column-epochs-1-1 new train.lr=0.02 method.preset=xst train.epochs=1 seed=1" ]
last_word=$(sed -n 9p "$work/out" | cut -d ' ' -f 1)
holds [ "$last_word" = element-epochs-2-2 ]
run sweep "$work/tiny.yaml" -n --only '*-2-1' --out "$work/all"
code 0
holds [ "$(wc -l <"$work/out")" -eq 3 ]
holds [ ! -e "$work/all" ]

# all of them, two at once, each with one thread of its own
run sweep "$work/tiny.yaml" --out "$work/all" --jobs 2 --threads 1 --require 'mean_accuracy>=0' \
    --published "$source_folder/docs/results/cpg-cifar100.json"
code 0
out "comparison: $work/all/comparison.html"
out "column-epochs-2"
out "CPG, published"
err "8 of 8 runs are finished"
plain
for name in column-epochs-1-1 column-epochs-1-2 column-epochs-2-1 column-epochs-2-2 \
    element-epochs-1-1 element-epochs-1-2 element-epochs-2-1 element-epochs-2-2; do
    holds [ -s "$work/all/$name/metrics.json" ]
    holds [ -s "$work/all/$name/report.html" ]
done
holds [ "$(find "$work/all" -mindepth 1 -maxdepth 1 | wc -l)" -eq 11 ]
holds grep -q "^threads: 1 " "$work/all/column-epochs-1-1/config.yaml"
holds grep -q '"seed": 2' "$work/all/column-epochs-1-2/metrics.json"
holds grep -q '"method": "xst-element"' "$work/all/element-epochs-1-1/metrics.json"
holds grep -q "column-epochs-2: 2 tasks of 2 epochs, seeds 1, 2" "$work/all/comparison.md"
holds [ "$(wc -l <"$work/all/comparison.csv")" -eq 37 ]
holds grep -q "<html" "$work/all/comparison.html"

# again: nothing is learned twice
cp "$work/all/column-epochs-1-1/log.txt" "$work/log"
run sweep "$work/tiny.yaml" --out "$work/all" --quiet
code 0
no_err
out "element-epochs-1"
holds cmp -s "$work/log" "$work/all/column-epochs-1-1/log.txt"
run sweep "$work/tiny.yaml" --out "$work/all" --list
holds [ "$(grep -c " finished " "$work/out")" -eq 8 ]

# a condition that does not hold is 4, said in a line; the comparison is there all the same
rm "$work/all/comparison.html"
run sweep "$work/tiny.yaml" --out "$work/all" --quiet --require 'mean_accuracy>1'
code 4
one_err_line
err "not met: 'mean_accuracy>1'"
holds [ -s "$work/all/comparison.html" ]

# a run whose seed is the only difference trains as learn does by itself
run learn "$work/base.yaml" train.lr=0.02 train.epochs=1 seed=2 --threads 1 -q --out "$work/by-hand"
code 0
holds cmp -s "$work/by-hand/metrics.csv" "$work/all/column-epochs-1-2/metrics.csv"

# other settings in the same folder are refused before anything starts
run sweep "$work/tiny.yaml" train.lr=0.03 --out "$work/all"
code 2
one_err_line
err "train.lr"
err "column-epochs-1-1"
run sweep "$work/tiny.yaml" train.epochs=3 --out "$work/all"
code 2
err "differs between the runs"

# refused, with the place, and nothing is made
refused() { # PLACE TEXT EXPERIMENT
    echo "$3" >"$work/bad.yaml"
    run sweep "$work/bad.yaml" --out "$work/none"
    code 2
    no_out
    one_err_line
    err "bad.yaml:$1"
    err "$2"
    if [ -e "$work/none" ]; then broken "something was made"; else held; fi
}
head="base: base.yaml
seeds: [1]"
refused 3:1 "did you mean 'grid'?" "$head
grud: {method: [xst]}"
refused 3:12 "did you mean 'train.lr'?" "$head
settings: {train.lrr: 1}"
refused 3:22 "train.lr" "$head
settings: {train.lr: fast}"
refused 3:31 "set twice" "$head
settings: {train: {lr: 1, lr: 2}}"
refused 3:24 "train.lr" "$head
grid: {train.lr: [0.1, -1]}"
refused 3:18 "list of values" "$head
grid: {train.lr: 0.1}"
refused 3:19 "no values" "$head
grid: {train.lr: []}"
refused "" "the same" "$head
grid: {train.lr: [0.1, 1e-1]}"
refused 3:22 "and in the grid" "$head
settings: {train.lr: 0.1}
grid: {train.lr: [0.1, 0.2]}"
refused 3:28 "there twice" "$head
points: {a: {method: xst}, a: {method: dense}}"
refused 3 "the runs 'a-1' and 'b-1' are the same" "$head
points: {a: {method: xst}, b: {method: xst}}"
refused 3:10 "no name" "$head
points: {../a: {method: xst}}"
refused 3:14 "seed" "$head
points: {a: {seed: 3}}"
refused 3:22 "no-such" "$head
points: {a: {method: no-such}}"
refused 5 "quantise.activation_bits" "$head
points:
  a: {method: xst}
  b: {quantise.weight_bits: 0}"
refused "" "no 'seeds'" "base: base.yaml"
refused "" "no 'base'" "seeds: [1]"
refused 2:15 "twice" "base: base.yaml
seeds: [1, 2, 1]"
refused 2:9 "no values" "base: base.yaml
seeds: []"
refused 1:7 "anchors" "base: &a base.yaml
seeds: [1]"

run sweep "$work/tiny.yaml"
code 2
err "give --out"
run sweep "$work/tiny.yaml" --out "$work/none" --only 'no-such*'
code 2
err "no run is called like 'no-such*'"
run sweep "$work/tiny.yaml" --out "$work/none" --require 'mean_accuracy'
code 2
err "is no condition"
run sweep "$work/tiny.yaml" --out "$work/none" --published "$work/no-such.json"
code 1
err "no-such.json"
run sweep "$work/no-such.yaml" --out "$work/none"
code 2
run sweep "$work/tiny.yaml" --out "$work/none" --jobs 0
code 2
holds [ ! -e "$work/none" ]

# a run that fails does not stop the others; its exit code is the sweep's, its words are passed on
cat >"$work/fails.yaml" <<EOF
base: base.yaml
points:
  broken: {data.set: $work/no-such-set}
  whole: {}
settings: {train.epochs: 1}
seeds: [1]
EOF
run learn "$work/base.yaml" data.set="$work/no-such-set" -q --out "$work/fails-by-hand"
expected=$exit_code
run sweep "$work/fails.yaml" --out "$work/fails" -q --jobs 2
code "$expected"
holds [ "$expected" -ne 0 ]
err "broken-1: ohmwise: "
err "the run 'broken-1' failed with exit code $expected"
out "whole"
holds [ -s "$work/fails/comparison.html" ]

# stopped: every run writes its checkpoint, 75, and the same command ends as if nothing had been
cat >"$work/long.yaml" <<EOF
base: base.yaml
settings: {train.epochs: 150}
seeds: [1, 2, 3]
EOF
stop_with() { # SIGNAL JOBS
    rm -rf "$work/stopped"
    "$bin" sweep "$work/long.yaml" --out "$work/stopped" --jobs "$2" --threads 1 \
        >"$work/out" 2>"$work/err" &
    process=$!
    waited=0
    while ! grep -qs "task 1" "$work/stopped/long-1/log.txt" && [ "$waited" -lt 600 ] &&
        ! grep -q . "$work/stopped/long-1/metrics.csv" 2>/dev/null; do
        sleep 0.1
        waited=$((waited + 1))
    done
    sleep 0.3
    kill -s "$1" "$process"
    exit_code=0
    wait "$process" || exit_code=$?
    last="sweep, stopped by $1"
}
stop_with TERM 2
code 75
no_out
err "stopped: 0 of 3 runs are finished; the same command goes on"
holds [ -s "$work/stopped/long-1/checkpoints/last.safetensors" ]
holds [ -s "$work/stopped/long-2/checkpoints/last.safetensors" ]
holds [ ! -e "$work/stopped/long-3" ]
holds [ ! -e "$work/stopped/comparison.html" ]
run sweep "$work/long.yaml" --out "$work/stopped" --only 'long-1' --threads 1 -q
code 0
out "long"
run learn "$work/base.yaml" train.epochs=150 name=long --threads 1 -q --out "$work/never-stopped"
holds cmp -s "$work/never-stopped/metrics.csv" "$work/stopped/long-1/metrics.csv"
stop_with USR1 1
code 75

# Ctrl-C on a terminal reaches the children as well; they must not take it for a second one
rm -rf "$work/stopped"
last="sweep, Ctrl-C on a terminal"
exit_code=0
python3 - "$bin" "$work" >"$work/out" 2>"$work/err" <<'EOF' || exit_code=$?
import os, pty, sys, time
program, work = sys.argv[1:]
csv = work + "/stopped/long-1/metrics.csv"
pid, terminal = pty.fork()
if pid == 0:
    os.execv(program, ["ohmwise", "sweep", work + "/long.yaml", "train.epochs=20000", "--out",
                       work + "/stopped", "--threads", "1"])
said, begun, sent = b"", time.monotonic(), False
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    said += piece
    if not sent and os.path.exists(csv) and os.path.getsize(csv) > 400:
        os.write(terminal, b"\x03")
        sent = True
    if time.monotonic() - begun > 120:
        os.kill(pid, 9)
        break
print(said[-600:].decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
EOF
code 75
out "stopped, its checkpoint written"
out "stopped: 0 of 3 runs are finished"
holds [ -s "$work/stopped/long-1/checkpoints/last.safetensors" ]

# every experiment that comes with the program is one
for file in "$source_folder"/presets/experiments/*.yaml; do
    run sweep "experiments/$(basename "$file" .yaml)" --list
    code 0
    no_err
done
run help sweep
out "experiments/xst-table-1"
run help learn
if grep -q "experiments/" "$work/out"; then broken "experiments are no configs"; else held; fi

finish
