#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Colours, presets, configs and folders that are wrong or missing: one clear line, the right code.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

refused() {
    code "$1"
    no_out
    one_err_line
    plain
}

# colours: not in a pipe, only when asked for
run explain --color=always train.lrr
code 2
if grep -q "$(printf '\033')" "$work/err"; then held; else broken "--color=always has no colour"; fi
run explain --color=never train.lrr
plain
NO_COLOR=1 run explain train.lrr
plain

# configs and presets
run learn no-such-preset --out "$work/run"
refused 2
err "no config 'no-such-preset'"
run learn learn/fashion-mnist-xts --out "$work/run"
refused 2
err "did you mean 'learn/fashion-mnist-xst'?"
if [ -e "$work/run" ]; then broken "a refused run left a folder"; else held; fi

run learn learn/fashion-mnist-xst
refused 2
err "give --out RUN"

run learn learn/fashion-mnist-xst train.epochs --out "$work/run"
refused 2
err "'train.epochs' is not of the form key=value"
run learn learn/fashion-mnist-xst train.epoch=2 --out "$work/run"
refused 2
err "train.epochs"
run learn learn/fashion-mnist-xst train.epochs=few --out "$work/run"
refused 2
err "train.epochs"
run learn learn/fashion-mnist-xst --threads 1000000 --out "$work/run"
refused 2
OHM_BACKEND=none-such run learn learn/fashion-mnist-xst --out "$work/run"
if [ "$exit_code" -eq 2 ] || [ "$exit_code" -eq 5 ]; then held; else broken "code $exit_code"; fi
err "none-such"
if [ -e "$work/run/metrics.csv" ]; then broken "a refused run left results"; else held; fi

# a preset of one's own, found by name
mkdir -p "$work/presets/mine"
printf 'name: my-own\n' >"$work/presets/mine/first.yaml"
OHM_PRESET_PATH=/nowhere:$work/presets run learn mine/first train.epochs=7 --dry-run
code 0
no_err
out "my-own"
out "epochs: 7"
OHM_PRESET_PATH=$work/presets OHM_THREADS=2 run learn mine/first --dry-run
out "threads: 2"
OHM_PRESET_PATH=$work/presets OHM_THREADS=2 run learn mine/first threads=1 --dry-run
out "threads: 1"

# presets are listed in order, each once
mkdir -p "$work/presets/learn" "$work/more/mine"
printf 'name: other\n' | tee "$work/presets/learn/fashion-mnist-xst.yaml" >"$work/more/mine/first.yaml"
printf 'name: other\n' >"$work/presets/mine/another.yaml"
OHM_PRESET_PATH=$work/presets:$work/more run help learn
grep '^  [a-z]*/[a-z0-9-]*$' "$work/out" >"$work/names" || true
LC_ALL=C sort -u "$work/names" >"$work/sorted"
out "mine/another"
if cmp -s "$work/names" "$work/sorted"; then held; else broken "presets are not in order, or twice"; fi

# an installed program uses what is installed with it
mkdir -p "$work/at/bin" "$work/at/share/ohmwise/presets/learn"
cp "$bin" "$work/at/bin/ohmwise"
printf 'name: installed\n' >"$work/at/share/ohmwise/presets/learn/fashion-mnist-xst.yaml"
built=$bin
bin=$work/at/bin/ohmwise
run learn learn/fashion-mnist-xst --dry-run
out "name: installed"
bin=$built

# an error in a file has its place
printf 'train:\n  epochs: many\n' >"$work/wrong.yaml"
run learn "$work/wrong.yaml" --dry-run
refused 2
err "wrong.yaml:2:"

# runs that are none
for options in "" "--on float" "--task 1" "--on float --task name"; do
    # shellcheck disable=SC2086 # words
    run eval "$work/nothing" $options
    refused 1
done
run eval "$work/nothing"
err "metrics.json"
mkdir -p "$work/half"
printf '{"tasks": ' >"$work/half/metrics.json"
run eval "$work/half"
refused 3
err "metrics.json:1:"
run report "$work/nothing"
if [ "$exit_code" -ne 0 ]; then held; else broken "a report of nothing"; fi
one_err_line
no_out

# what the machine can do
run doctor --json
code 0
no_err
if python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
assert d["schema"] == 1 and d["libraries"] and d["data"]
assert any(k["name"] == "reference" and k["supported"] for k in d["kernels"])
assert sum(k["chosen"] for k in d["kernels"]) == 1
' "$work/out" 2>"$work/err"; then held; else broken "the document is not as promised"; fi
run doctor
code 0
out "reference"
plain
OHM_DATA_DIR=/nowhere run doctor
code 0

finish
