#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs that cannot begin or go on: folders that cannot be written, data that is not there, files of
# the run that are damaged or of another run. One clear error, the right code, nothing lost.

# mounts of a namespace of our own end with this process, however it ends
if [ "$(id -u)" -eq 0 ] && [ -z "${OHM_TEST_UNSHARED:-}" ] && unshare -m true 2>/dev/null; then
    OHM_TEST_UNSHARED=1
    export OHM_TEST_UNSHARED
    exec unshare -m sh "$0" "$@"
fi
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

python3 "$(dirname "$0")/tiny_set.py" "$work/set"
cat >"$work/tiny.yaml" <<EOF
name: tiny
threads: 1
data:
  set: $work/set
  split: classes
  classes_per_task: 2
network:
  model: small
  expand: 1
train:
  epochs: 2
  batch: 16
EOF

refused() {
    code "$1"
    no_out
    one_err_line
    plain
}

# a folder that cannot be written; root may write everywhere but on a disk mounted to be read
mkdir "$work/locked"
is_locked=yes
if [ "$(id -u)" -eq 0 ]; then
    if mount -t tmpfs -o ro,size=64k ohmwise-test "$work/locked" 2>/dev/null; then
        trap 'umount "$work/locked"; rm -rf "$work"' EXIT
    else
        is_locked=no
        echo "skipped: root may write everywhere here, and cannot mount a read-only disk"
    fi
else
    chmod a-w "$work/locked"
fi
if [ "$is_locked" = yes ]; then
    run learn "$work/tiny.yaml" --out "$work/locked/run" -q
    refused 1
    err "$work/locked/run"
fi
: >"$work/file"
run learn "$work/tiny.yaml" --out "$work/file/run" -q
refused 1
err "$work/file"
run learn "$work/tiny.yaml" --out "$work/file" -q
refused 1
err "$work/file"

# data that is not there, or is not data
run learn "$work/tiny.yaml" "data.set=$work/nothing" --out "$work/none" -q
if [ "$exit_code" -eq 1 ] || [ "$exit_code" -eq 2 ] || [ "$exit_code" -eq 3 ]; then held; else
    broken "exit code $exit_code"
fi
one_err_line
no_out
err "$work/nothing"
run learn "$work/tiny.yaml" data.set=no-such-set --out "$work/none" -q
no_out
one_err_line
err "no-such-set"
mkdir "$work/cut"
cp "$work/set"/*.npy "$work/cut"
head -c 5000 "$work/set/train_images.npy" >"$work/cut/train_images.npy"
run learn "$work/tiny.yaml" "data.set=$work/cut" --out "$work/none" -q
refused 3
err "train_images.npy"
if [ -e "$work/none" ]; then broken "a run without data left a folder"; else held; fi

# damaged checkpoints: cut, empty, noise, a header that lies, of another network
run learn "$work/tiny.yaml" --out "$work/whole" -q
code 0
run learn "$work/tiny.yaml" network.expand=2 --out "$work/other" -q
code 0
last_checkpoint=checkpoints/last.safetensors
damage() {
    rm -rf "$work/run"
    cp -r "$work/whole" "$work/run"
    python3 - "$1" "$work/run/$last_checkpoint" "$work/other/$last_checkpoint" <<'EOF'
import random
import struct
import sys

how, path, other = sys.argv[1:]
with open(path, "rb") as file:
    data = bytearray(file.read())
(size,) = struct.unpack("<Q", data[:8])
if how == "cut":
    data = data[: len(data) // 2]
elif how == "cut by one":
    data = data[:-1]
elif how == "empty":
    data = b""
elif how == "noise":
    random.seed(1)
    data = bytes(random.randrange(256) for _ in range(len(data)))
elif how == "long header":
    data[:8] = struct.pack("<Q", 1 << 60)
elif how == "offsets":
    data = bytes(data).replace(b'"data_offsets":[0,', b'"data_offsets":[9,', 1)
elif how == "other name":
    data = bytes(data).replace(b"state/position", b"state/Position", 1)
elif how == "other network":
    with open(other, "rb") as file:
        data = file.read()
else:
    sys.exit("unknown damage")
with open(path, "wb") as file:
    file.write(data)
EOF
    cp "$work/run/$last_checkpoint" "$work/damaged"
}
for how in "cut" "cut by one" "empty" "noise" "long header" "offsets" "other name" \
    "other network"; do
    damage "$how"
    for command in "learn $work/tiny.yaml --out $work/run" "eval $work/run"; do
        # shellcheck disable=SC2086 # no blanks in the names of temporary folders
        run $command
        last="$command, checkpoint: $how"
        refused 3
        err "last.safetensors"
    done
    # it is not touched, nor are the results of before
    for file in metrics.csv metrics.json; do
        if cmp -s "$work/whole/$file" "$work/run/$file"; then held; else broken "'$file' changed"; fi
    done
    if cmp -s "$work/damaged" "$work/run/$last_checkpoint"; then held; else broken "it changed"; fi
done

# results without their checkpoint stay as they are until --force; then the run begins anew, and
# nothing of before passes for its result
rm "$work/run/$last_checkpoint"
run learn "$work/tiny.yaml" --out "$work/run" -q
refused 2
err "has results but no $last_checkpoint"
if cmp -s "$work/whole/metrics.json" "$work/run/metrics.json"; then held; else broken "changed"; fi
run learn "$work/tiny.yaml" --out "$work/run" -q --force
code 0
for file in "$last_checkpoint" metrics.csv; do
    if cmp -s "$work/whole/$file" "$work/run/$file"; then held; else broken "'$file' differs"; fi
done

# metrics.csv shorter than the checkpoint knows: rows are lost, which must be said
head -c 100 "$work/whole/metrics.csv" >"$work/run/metrics.csv"
run learn "$work/tiny.yaml" --out "$work/run" -q
refused 3
err "metrics.csv"

# a config of another version or none
rm -rf "$work/run"
cp -r "$work/whole" "$work/run"
printf 'no-such-key: 1\n' >"$work/run/config.yaml"
run learn "$work/tiny.yaml" --out "$work/run" -q
refused 2
err "config.yaml"
run eval "$work/run"
refused 2
err "config.yaml:1:"
rm "$work/run/config.yaml"
run eval "$work/run"
code 1
one_err_line
err "config.yaml"
run learn "$work/tiny.yaml" --out "$work/run" -q
refused 2
err "has results but no config.yaml"
if cmp -s "$work/whole/metrics.csv" "$work/run/metrics.csv"; then held; else broken "metrics"; fi
run learn "$work/tiny.yaml" --out "$work/run" -q --force
code 0
if cmp -s "$work/whole/metrics.csv" "$work/run/metrics.csv"; then held; else broken "metrics"; fi

finish
