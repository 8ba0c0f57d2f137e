#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A disk that is full, at the start and in the middle: one clear error, nothing half-written, the
# checkpoint of before stays; with room again the same command ends as if nothing had been.
# The small disk is a tmpfs where one can be mounted (root, or a user namespace), else a limit on
# the size of files.

# mounts of a namespace of our own end with this process, however it ends
if [ -z "${OHM_TEST_UNSHARED:-}" ]; then
    OHM_TEST_UNSHARED=1
    export OHM_TEST_UNSHARED
    for flags in -m -rm; do
        if unshare "$flags" true 2>/dev/null; then
            exec unshare "$flags" sh "$0" "$@"
        fi
    done
fi
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

small=$work/small
mkdir "$small"
if mount -t tmpfs -o size=512k ohmwise-test "$small" 2>/dev/null; then
    trap 'umount "$small"; rm -rf "$work"' EXIT
    fill() { dd if=/dev/zero of="$small/fill" bs=4096 2>/dev/null; }
    empty() { rm -f "$small/fill"; }
else
    echo "no tmpfs can be mounted here: 'full' is a limit of 8 KiB on files instead"
    # a limit belongs to a process: the program runs in a shell that has it
    limit=no
    fill() { limit=yes; }
    empty() { limit=no; }
    run() {
        last="$*"
        exit_code=0
        (
            [ "$limit" = no ] || ulimit -f 16
            exec "$bin" "$@"
        ) >"$work/out" 2>"$work/err" </dev/null || exit_code=$?
    }
fi

python3 "$(dirname "$0")/tiny_set.py" "$work/set"
cat >"$work/tiny.yaml" <<EOF
name: tiny
threads: 1
data:
  set: $work/set
  split: classes
  classes_per_task: 2
  flip: false
network:
  model: small
  expand: 1
train:
  epochs: 60
  batch: 16
run:
  checkpoint: 0.1
EOF

refused() {
    code 1
    no_out
    one_err_line
    if grep -q -e "No space left" -e "File too large" -e "disk full" "$work/err"; then held; else
        broken "the reason is not said"
    fi
}

# whatever was being written when the disk was full is gone
no_parts() {
    if [ -z "$(find "$small" -name '*.part')" ]; then held; else broken "parts are left"; fi
}

same() {
    if cmp -s "$1" "$2"; then held; else broken "'$1' and '$2' differ"; fi
}

same_end() {
    for file in checkpoints/last.safetensors metrics.csv layers.csv accuracy_matrix.csv; do
        same "$work/whole/$file" "$small/run/$file"
    done
}

# a run in the background, until it is in its second task and has a checkpoint
begin() {
    : >"$work/err"
    "$bin" learn "$work/tiny.yaml" --out "$small/run" >"$work/out" 2>"$work/err" &
    process=$!
    waited=0
    while ! grep -q "task 2/2" "$work/err" && [ "$waited" -lt 1500 ]; do
        sleep 0.02
        waited=$((waited + 1))
    done
}

end() {
    exit_code=0
    wait "$process" || exit_code=$?
    grep '^ohmwise: ' "$work/err" >"$work/said"
    mv "$work/said" "$work/err"
}

run learn "$work/tiny.yaml" --out "$work/whole" -q
code 0

# full from the start
fill
run learn "$work/tiny.yaml" --out "$small/run" -q
refused
no_parts
empty
run learn "$work/tiny.yaml" --out "$small/run" -q
code 0
same_end

# full for results: neither half a page nor half a list of logits
fill
cp "$small/run/report.html" "$work/page.html"
run report "$small/run"
refused
same "$work/page.html" "$small/run/report.html"
if [ -w /dev/full ]; then
    last="help >/dev/full"
    exit_code=0
    "$bin" help >/dev/full 2>"$work/err" || exit_code=$?
    : >"$work/out"
    refused
fi
empty

# stopped in the second task; full when it goes on
rm -rf "$small/run"
begin
kill -s TERM "$process"
end
last="learn, stopped in task 2"
code 75
cp "$small/run/checkpoints/last.safetensors" "$work/last.safetensors"
fill
run learn "$work/tiny.yaml" --out "$small/run" -q
refused
no_parts
same "$work/last.safetensors" "$small/run/checkpoints/last.safetensors"
empty
run learn "$work/tiny.yaml" --out "$small/run" -q
code 0
same_end

# the disk becomes full under a run
if [ -z "${limit:-}" ]; then
    rm -rf "$small/run"
    begin
    fill
    end
    last="learn, while the disk became full"
    : >"$work/out"
    refused
    no_parts
    empty
    run learn "$work/tiny.yaml" --out "$small/run" -q
    code 0
    same_end
fi

finish
