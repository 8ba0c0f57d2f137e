#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Several processes under mpirun: the same bytes on 1, 2 and 4 ranks, a rank that is killed, a job that
# is stopped and goes on with other ranks, errors said once, sweeps over ranks. Where there is no MPI
# it says so.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

if [ "$(id -u)" -eq 0 ]; then
    OMPI_ALLOW_RUN_AS_ROOT=1
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
fi
# more ranks than CPUs; this machine only
OMPI_MCA_rmaps_base_oversubscribe=1
OMPI_MCA_btl=self,vader
export OMPI_MCA_rmaps_base_oversubscribe OMPI_MCA_btl
# what MPI itself does not free is not looked at here
ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
export ASAN_OPTIONS

python3 "$(dirname "$0")/tiny_set.py" "$work/set"
cat >"$work/tiny.yaml" <<EOF2
name: tiny
threads: 1
data: {set: $work/set, split: classes, classes_per_task: 2, validation: 0.2}
network: {model: small, expand: 1}
train: {epochs: 3, batch: 16, parts: 4}
EOF2

holds() {
    if "$@"; then held; else broken "not so: $*"; fi
}

# ranks N ARGUMENTS...: run on N ranks
ranks() {
    n_ranks=$1
    shift
    last="$* on $n_ranks ranks"
    exit_code=0
    timeout 120 mpirun -n "$n_ranks" "$bin" "$@" >"$work/out" 2>"$work/err" </dev/null || exit_code=$?
}

same_run() {
    for file in checkpoints/last.safetensors metrics.csv layers.csv accuracy_matrix.csv; do
        holds cmp -s "$1/$file" "$2/$file"
    done
}

# parts need no MPI
run learn "$work/tiny.yaml" --out "$work/one" -q
code 0
run learn "$work/tiny.yaml" --out "$work/bad" train.parts=3
code 2
err "'train.parts' is 3"

run doctor --json
if ! grep -A 1 '"name": "mpi"' "$work/out" | grep -q 'version": "'; then
    # a build without MPI that is started by mpirun says what is wrong
    OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 run learn "$work/tiny.yaml" --out "$work/two"
    code 5
    err "this build has no MPI"
    OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=1 run learn "$work/tiny.yaml" --out "$work/two"
    no_err
    holds [ ! -e "$work/two" ]
    echo "skipped: this build has no MPI, so nothing was run on several ranks"
    finish
    exit
fi
if ! command -v mpirun >/dev/null 2>&1; then
    echo "skipped: there is no mpirun here, so nothing was run on several ranks"
    finish
    exit
fi

# the same bytes on 1, 2 and 4 ranks; rank 0 alone speaks
for n in 2 4; do
    ranks "$n" learn "$work/tiny.yaml" --out "$work/on-$n"
    code 0
    out "mean accuracy"
    holds [ "$(grep -c 'mean accuracy' "$work/out")" -eq 1 ]
    holds [ "$(grep -c 'all 2 tasks are learned' "$work/err")" -eq 1 ]
    plain
    same_run "$work/one" "$work/on-$n"
    holds grep -q "a batch in 4 parts on $n processes" "$work/on-$n/log.txt"
    holds [ -s "$work/on-$n/report.html" ]
done

# unless told otherwise there is a part for each rank
run learn "$work/tiny.yaml" --out "$work/two-parts" -q train.parts=2
code 0
ranks 2 learn "$work/tiny.yaml" --out "$work/two-ranks" -q train.parts=0
code 0
holds cmp -s "$work/two-parts/metrics.csv" "$work/two-ranks/metrics.csv"

# what cannot be is said once, by all ranks at once
ranks 2 learn "$work/tiny.yaml" --out "$work/none" data.set="$work/nothing"
holds [ "$exit_code" -ne 0 ]
holds [ "$(grep -c '^ohmwise: ' "$work/err")" -eq 1 ]
holds [ ! -e "$work/none" ]
ranks 3 learn "$work/tiny.yaml" --out "$work/none"
code 2
err "3 processes cannot learn a batch in 'train.parts' = 4"
holds [ "$(grep -c '^ohmwise: ' "$work/err")" -eq 1 ]
holds [ ! -e "$work/none" ]
ranks 2 learn "$work/tiny.yaml" --out "$work/one" seed=2
code 2
err "the run that is there has 'seed: 1'"

# a command for one process does its work once
ranks 2 explain train.parts
code 0
holds [ "$(grep -c 'power of two' "$work/out")" -eq 1 ]
err "is done by one process"

# ---- a rank is killed; what was saved goes on with other ranks, as if never stopped ----

# rank_of FOLDER RANK: the process of a rank of the job that writes into the folder
rank_of() {
    grep -lsE "(^|[[:cntrl:]])OMPI_COMM_WORLD_RANK=$2([[:cntrl:]]|\$)" /proc/[0-9]*/environ |
        while IFS=/ read -r _ _ process _; do
            if grep -aqsF -e "$1" "/proc/$process/cmdline"; then
                echo "$process"
            fi
        done
}

# waits until a file is there
wait_for() {
    tries=0
    while [ ! -s "$1" ] && [ "$tries" -lt 300 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    holds [ -s "$1" ]
}

long="train.epochs=200 run.checkpoint=0.1"
# shellcheck disable=SC2086 # two words
run learn "$work/tiny.yaml" --out "$work/whole" -q $long
code 0
# shellcheck disable=SC2086
mpirun -n 2 "$bin" learn "$work/tiny.yaml" --out "$work/killed" -q $long \
    >"$work/out" 2>"$work/err" </dev/null &
job=$!
last="learn on 2 ranks, one of them killed"
wait_for "$work/killed/checkpoints/last.safetensors"
kill -9 "$(rank_of "$work/killed" 1)"
exit_code=0
wait "$job" || exit_code=$?
holds [ "$exit_code" -ne 0 ]
err "rank 1 of 2 (process"
err "the same command goes on"
if [ -s "$work/killed/metrics.json" ] && grep -q '"finished": true' "$work/killed/metrics.json"; then
    broken "it had ended before the rank was killed"
fi
# shellcheck disable=SC2086
ranks 4 learn "$work/tiny.yaml" --out "$work/killed" -q $long
code 0
holds grep -q resumed "$work/killed/log.txt"
same_run "$work/whole" "$work/killed"

# rank 0, which writes
# shellcheck disable=SC2086
mpirun -n 2 "$bin" learn "$work/tiny.yaml" --out "$work/headless" -q $long \
    >"$work/out" 2>"$work/err" </dev/null &
job=$!
last="learn on 2 ranks, the first killed"
wait_for "$work/headless/checkpoints/last.safetensors"
kill -9 "$(rank_of "$work/headless" 0)"
exit_code=0
wait "$job" || exit_code=$?
holds [ "$exit_code" -ne 0 ]
err "rank 0 of 2 (process"

# ... and the job is asked to stop, and stops with a checkpoint
# shellcheck disable=SC2086
mpirun -n 4 "$bin" learn "$work/tiny.yaml" --out "$work/headless" -q $long \
    >"$work/out" 2>"$work/err" </dev/null &
job=$!
last="learn on 4 ranks, stopped"
tries=0
until grep -q resumed "$work/headless/log.txt" || [ "$tries" -gt 300 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
kill -USR1 "$job" # mpirun passes it on to all ranks
exit_code=0
wait "$job" || exit_code=$?
code 75
err "stopped early, the checkpoint is written"
holds [ "$(grep -c '^ohmwise: ' "$work/err")" -eq 1 ]
# shellcheck disable=SC2086
run learn "$work/tiny.yaml" --out "$work/headless" -q $long
code 0
same_run "$work/whole" "$work/headless"

# what only rank 0 meets, which writes: it says so and ends the job
# shellcheck disable=SC2086
timeout 120 mpirun -n 2 "$bin" learn "$work/tiny.yaml" --out "$work/gone" -q $long \
    train.epochs=100000 >"$work/out" 2>"$work/err" </dev/null &
job=$!
last="learn on 2 ranks, its folder taken away"
wait_for "$work/gone/checkpoints/last.safetensors"
rm -rf "$work/gone/checkpoints"
exit_code=0
wait "$job" || exit_code=$?
code 1
err "ohmwise: rank 0 of 2 has failed and ends the others"
err "$work/gone/checkpoints/last.safetensors"

# ---- sweeps ----

cat >"$work/sweep.yaml" <<EOF2
base: tiny.yaml
settings: {train.epochs: 2}
grid: {train.lr: [0.01, 0.02]}
seeds: [1, 2, 3]
EOF2
run sweep "$work/sweep.yaml" --out "$work/sweep-1" --threads 1 -q
code 0
ranks 2 sweep "$work/sweep.yaml" --out "$work/sweep-4" --threads 1 --only '*-3'
code 0
err "2 to learn"
ranks 4 sweep "$work/sweep.yaml" --out "$work/sweep-4" --threads 1 --require 'mean_accuracy>=0'
code 0
err "6 runs, 2 of them finished, 4 to learn, 4 at once"
err "on rank 3"
holds [ "$(grep -c 'is finished after' "$work/err")" -eq 4 ]
holds [ "$(grep -c 'comparison.html' "$work/out")" -eq 1 ]
for name in lr-0.01-1 lr-0.01-2 lr-0.01-3 lr-0.02-1 lr-0.02-2 lr-0.02-3; do
    same_run "$work/sweep-1/$name" "$work/sweep-4/$name"
done

# nothing is learned twice; a condition that does not hold is the job's exit code
ranks 2 sweep "$work/sweep.yaml" --out "$work/sweep-4" --threads 1 --require 'mean_accuracy>=2'
code 4
err "6 of them finished, 0 to learn"

# one run that fails does not keep the others from being done
cat >"$work/fails.yaml" <<EOF2
base: tiny.yaml
settings: {train.epochs: 1}
points:
  good: {train.lr: 0.01}
  lost: {data.set: $work/nothing}
  fine: {train.lr: 0.02}
seeds: [1]
EOF2
ranks 2 sweep "$work/fails.yaml" --out "$work/fails" --threads 1
holds [ "$exit_code" -ne 0 ]
err "the run 'lost-1' failed"
for name in good fine; do
    holds grep -q '"finished": true' "$work/fails/$name-1/metrics.json"
done
ranks 2 sweep "$work/sweep.yaml" --out "$work/sweep-4" --jobs 2
code 2
err "--jobs is for one process"
holds [ "$(grep -c -e '--jobs is for' "$work/err")" -eq 1 ]

# ---- simulations ----

# simulate OUT: points of a sweep and of single effects, chips, reads, and the errors of layers
simulate="simulate $work/one adc.range=ideal noise.telegraph=0.3 variation.relative=0.02 \
    --sweep fault.stuck_off=0.05,0.1 --by-effect --reads 2 --force"
# shellcheck disable=SC2086 # words
run $simulate --chips 5 --out "$work/sim-1.json" --errors "$work/errors-1.json" -q
code 0
for n in 2 4; do
    # shellcheck disable=SC2086
    ranks "$n" $simulate --chips 5 --out "$work/sim-$n.json" --errors "$work/errors-$n.json"
    code 0
    holds cmp -s "$work/sim-1.json" "$work/sim-$n.json"
    holds cmp -s "$work/errors-1.json" "$work/errors-$n.json"
    holds [ "$(grep -c 'integer network, nothing wrong' "$work/out")" -eq 1 ]
done

# what is there is not done again, on any number of ranks; more is added
ranks 2 simulate "$work/one" adc.range=ideal fault.stuck_off=0.1 --chips 3 --out "$work/more.json"
code 0
ranks 4 simulate "$work/one" adc.range=ideal fault.stuck_off=0.1 --chips 9 --out "$work/more.json"
code 0
run simulate "$work/one" adc.range=ideal fault.stuck_off=0.1 --chips 9 --out "$work/all.json" -q
code 0
holds cmp -s "$work/more.json" "$work/all.json"

# what is wrong is said once
ranks 2 simulate "$work/one" train.lr=1
code 2
err "'train.lr' is what the run was learned with"
holds [ "$(grep -c '^ohmwise: ' "$work/err")" -eq 1 ]
ranks 2 simulate "$work/one" adc.range=ideal --out "$work/no/folder.json"
holds [ "$exit_code" -ne 0 ]
holds [ "$(grep -c '^ohmwise: ' "$work/err")" -eq 1 ]

# a rank is killed: what was written is whole and of use, to any number of ranks
mpirun -n 2 "$bin" simulate "$work/one" adc.range=ideal fault.stuck_off=0.1 --chips 20000 \
    --out "$work/dead.json" >"$work/out" 2>"$work/err" </dev/null &
job=$!
last="simulate on 2 ranks, one of them killed"
wait_for "$work/dead.json"
kill -9 "$(rank_of "$work/dead.json" 1)"
exit_code=0
wait "$job" || exit_code=$?
holds [ "$exit_code" -ne 0 ]
err "rank 1 of 2 (process"
n_chips=$(grep -c '"seed"' "$work/dead.json")
holds [ "$n_chips" -ge 1 ]
ranks 4 simulate "$work/one" adc.range=ideal fault.stuck_off=0.1 --chips $((n_chips + 6)) \
    --out "$work/dead.json"
code 0
run simulate "$work/one" adc.range=ideal fault.stuck_off=0.1 --chips $((n_chips + 6)) \
    --out "$work/alive.json" -q
code 0
holds cmp -s "$work/dead.json" "$work/alive.json"

# ---- harvested power ----

# cases over ranks: the same bytes
run harvest harvest/first power.length=1 --out "$work/power-1" -q
code 0
ranks 2 harvest harvest/first power.length=1 --out "$work/power-2" -q
code 0
for file in harvest.json harvest.csv harvest_modes.csv harvest_timeline.csv harvest.yaml harvest.html; do
    holds cmp -s "$work/power-1/$file" "$work/power-2/$file"
done
holds [ "$(grep -c 'reconstruction of ResiRCA' "$work/out")" -eq 1 ]

# stopped on two ranks, gone on with by one: what is done is kept
seeds="power.length=0.5 harvest.seeds=16"
# shellcheck disable=SC2086 # words
mpirun -n 2 "$bin" harvest harvest/first $seeds --out "$work/stopped" >"$work/out" 2>"$work/err" \
    </dev/null &
job=$!
last="harvest on 2 ranks, stopped"
sleep 1
kill -USR1 "$job" # mpirun passes it on to all ranks
exit_code=0
wait "$job" || exit_code=$?
if [ "$exit_code" -eq 0 ]; then
    echo "not tried: all cases were done before the job was stopped"
else
    code 75
    err "stopped early"
    holds [ "$(grep -c '^ohmwise: ' "$work/err")" -eq 1 ]
    holds [ ! -e "$work/stopped/harvest.json" ]
    # shellcheck disable=SC2086
    run harvest harvest/first $seeds --out "$work/stopped" -q
    code 0
    # shellcheck disable=SC2086
    run harvest harvest/first $seeds --out "$work/unstopped" -q
    code 0
    holds cmp -s "$work/stopped/harvest.json" "$work/unstopped/harvest.json"
    holds cmp -s "$work/stopped/harvest_timeline.csv" "$work/unstopped/harvest_timeline.csv"
    holds [ ! -e "$work/stopped/harvest.kept" ]
fi

# the benchmark of parts has a row more
ranks 2 bench parts --model small --expand 0.25 --batch 4 --repeats 2 --quiet
code 0
out '"name": "2 processes"'
holds [ "$(grep -c '"schema"' "$work/out")" -eq 2 ]
ranks 2 bench data
code 2
err "is for one process"
finish
