#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs that are killed and go on: kill -9 at 50 moments, SIGTERM, two processes in one run folder.
# The end is always that of a run that was never stopped, byte for byte.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

# checkpoints as often as can be, and random draws of every kind: crops, mask noise, growth
python3 "$(dirname "$0")/tiny_set.py" "$work/set" 320
cat >"$work/tiny.yaml" <<EOF
name: killed
seed: 3
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
method:
  preset: xst
  grow_interval: 7
  mask_noise: true
train:
  epochs: 120
  batch: 16
run:
  checkpoint: 0.1
EOF

same() {
    if cmp -s "$work/whole/$1" "$work/$2/$1"; then held; else broken "'$1' of '$2' differs"; fi
}

run learn "$work/tiny.yaml" --out "$work/whole" -q
code 0
out "mean accuracy"

# kill -9
last="learn, killed 50 times"
if python3 "$(dirname "$0")/kill_often.py" 50 "$work/whole" "$work/killed" \
    "$bin" learn "$work/tiny.yaml" --out "$work/killed" -q >"$work/out" 2>"$work/err"; then
    held
else
    broken "it is not as if nothing had been"
fi
cat "$work/out"

# waits until the run in a folder has a checkpoint
wait_for_checkpoint() {
    waited=0
    while [ ! -s "$work/$1/checkpoints/last.safetensors" ] && [ "$waited" -lt 600 ]; do
        sleep 0.02
        waited=$((waited + 1))
    done
}

# SIGTERM and SIGINT: a checkpoint and 75; a second process is kept out of the folder meanwhile
for signal in TERM INT; do
    "$bin" learn "$work/tiny.yaml" --out "$work/stopped-$signal" >"$work/first.out" \
        2>"$work/first.err" &
    process=$!
    wait_for_checkpoint "stopped-$signal"
    kill -s STOP "$process"
    run learn "$work/tiny.yaml" --out "$work/stopped-$signal"
    code 1
    no_out
    one_err_line
    err "another process learns in"
    run learn "$work/tiny.yaml" --out "$work/stopped-$signal" --force
    code 1
    err "another process learns in"
    kill -s "$signal" "$process"
    kill -s CONT "$process"
    exit_code=0
    wait "$process" || exit_code=$?
    last="learn, ended by $signal"
    cp "$work/first.out" "$work/out"
    cp "$work/first.err" "$work/err"
    code 75
    no_out
    err "checkpoint"
    run learn "$work/tiny.yaml" --out "$work/stopped-$signal" -q
    code 0
    same checkpoints/last.safetensors "stopped-$signal"
    same metrics.csv "stopped-$signal"
done

finish
