#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# import and export: a network of PyTorch's as a run; a task of a run out and in again, with the same
# logits bit for bit; files and commands that are refused, with nothing left behind.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

golden=$source_folder/tests/data/golden

json() {
    if python3 -c "
import json, sys
d = json.load(open(sys.argv[1]))
assert $1
" "$work/out" 2>"$work/python"; then held; else broken "not so: $1"; fi
}

same() {
    if cmp -s "$1" "$2"; then held; else broken "$1 and $2 differ"; fi
}

there() {
    if [ -s "$1" ]; then held; else broken "no $1"; fi
}

not_there() {
    if [ -e "$1" ]; then broken "$1 is there"; else held; fi
}

# a set of seven classes for the golden networks: 32 x 32 pixels, three channels
python3 - "$work/seven" <<'EOF2'
import os, random, struct, sys
os.makedirs(sys.argv[1])
random.seed(2)
def npy(name, shape, data):
    header = repr({"descr": "|u1", "fortran_order": False, "shape": shape})
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(os.path.join(sys.argv[1], name), "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)
for part in ("train", "test"):
    npy(part + "_images.npy", (14, 32, 32, 3), bytes(random.randrange(256) for _ in range(14 * 3072)))
    npy(part + "_labels.npy", (14,), bytes(i % 7 for i in range(14)))
EOF2

# PyTorch's weights become a run that is measured like any other
run import "$golden/import-resnet18.safetensors" --model resnet18 --out "$work/run" \
    --data-set "$work/seven"
code 0
no_err
out "7 classes"
for file in config.yaml manifest.json metrics.json metrics.csv log.txt \
    checkpoints/last.safetensors; do
    there "$work/run/$file"
done
cp "$work/run/metrics.json" "$work/out"
json 'd["finished"] and d["tasks"][0]["accuracy"] is None and d["tasks"][0]["n_classes"] == 7'
json 'd["tasks"][0]["columns_on"] == d["columns_total"] and d["mean_accuracy"] is None'
run eval "$work/run" --task 1 --json --logits "$work/a.npy"
code 0
no_err
json 'd["tasks"][0]["images"] == 14 and d["on"] == "float"'
run explain data.mean
code 0

# out, and in again
run export "$work/run" "$work/out.safetensors"
code 0
no_err
out "out.safetensors"
run import "$work/out.safetensors" -m resnet18 -o "$work/again" --data-set "$work/seven"
code 0
run eval "$work/again" --task 1 --logits "$work/b.npy"
code 0
same "$work/a.npy" "$work/b.npy"

# a task of a run that was learned here, with its masks: the same logits on its classes
python3 "$(dirname "$0")/tiny_set.py" "$work/set"
cat >"$work/tiny.yaml" <<EOF
name: tiny
threads: 1
data:
  set: $work/set
  classes_per_task: 2
  augment: false
network:
  model: small
  expand: 1
quantise:
  weight_bits: 0
  activation_bits: 0
train:
  epochs: 2
  batch: 16
EOF
run learn "$work/tiny.yaml" --out "$work/two" --quiet
code 0
run eval "$work/two" --task 2 --logits "$work/a.npy"
code 0
run export "$work/two" "$work/second.safetensors" --task 2
code 0
python3 - "$work/set" "$work/half" <<'EOF2'
import os, struct, sys
os.makedirs(sys.argv[2])
def npy(name, shape, data):
    header = repr({"descr": "|u1", "fortran_order": False, "shape": shape})
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(os.path.join(sys.argv[2], name), "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)
def read(name):
    with open(os.path.join(sys.argv[1], name), "rb") as file:
        data = file.read()
    return data[10 + struct.unpack("<H", data[8:10])[0]:]
for part in ("train", "test"):
    labels, images = read(part + "_labels.npy"), read(part + "_images.npy")
    keep = [i for i, label in enumerate(labels) if label >= 2]
    npy(part + "_labels.npy", (len(keep),), bytes(labels[i] - 2 for i in keep))
    npy(part + "_images.npy", (len(keep), 8, 8, 1),
        b"".join(images[i * 64:i * 64 + 64] for i in keep))
EOF2
run import "$work/second.safetensors" --model small --out "$work/half-run" --data-set "$work/half"
code 0
run eval "$work/half-run" --task 1 --logits "$work/b.npy"
code 0
same "$work/a.npy" "$work/b.npy"

# the same through ONNX, the graph with all its operations; checked by ONNX's own checker where a
# python has it (Debian: python3-onnx)
run export "$work/two" "$work/second.onnx" --task 2
code 0
out "second.onnx"
run import "$work/second.onnx" --model small --out "$work/half-onnx" --data-set "$work/half"
code 0
out "onnx"
run eval "$work/half-onnx" --task 1 --logits "$work/b.npy"
code 0
same "$work/a.npy" "$work/b.npy"
run export "$work/two" "$work/second.bin" --task 2 --format onnx
code 0
same "$work/second.onnx" "$work/second.bin"
for python in /usr/bin/python3 python3; do
    if "$python" -c "import onnx" 2>/dev/null; then
        if "$python" - "$work/second.onnx" <<'EOF2'; then held; else broken "the checker of ONNX"; fi
import sys, onnx
model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
meant = {p.key: p.value for p in model.metadata_props}
assert meant == {"model": "small", "task": "2", "weight_bits": "0", "activation_bits": "0"}, meant
assert [i.name for i in model.graph.input] == ["images"]
assert [o.name for o in model.graph.output] == ["logits"]
shape = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.output[0]
assert shape.type.tensor_type.shape.dim[1].dim_value == 2
EOF2
        break
    fi
done

# a Keras model; without a data set there is nothing to measure it on
run import "$golden/import-keras/model.json" --model resnet50_v1 --out "$work/keras"
code 0
out "tfjs"
out "72 x 72 pixels"
run eval "$work/keras"
code 2
err "none"
run import "$golden/import-keras/model.json" --model resnet50 --out "$work/no"
code 3
err "resnet50_v1"

# usage
run import "$golden/import-resnet18.safetensors" --out "$work/no"
code 2
err "--model"
run import "$golden/import-resnet18.safetensors" --model resnet18
code 2
err "--out"
run import "$golden/import-resnet18.safetensors" --model resnet19 --out "$work/no"
code 2
run import "$golden/import-resnet18.safetensors" --model resnet18 --image-size 2 --out "$work/no"
code 2
run export "$work/two" "$work/no.safetensors"
code 2
err "--task"
run export "$work/two" "$work/no.txt" --task 1
code 2
run export "$work/two" "$work/no.safetensors" --task 3
code 2
not_there "$work/no.safetensors"
run export "$work/nothing" "$work/no.safetensors"
code 1
not_there "$work/no.safetensors"

# files that do not hold what they should: one line, the name of the tensor, nothing left behind
run import "$golden/import-resnet18.safetensors" --model resnet50 --out "$work/no"
code 3
one_err_line
err "import-resnet18.safetensors: there is no tensor 'layer1.0.downsample.0.weight'"
run import "$golden/import-resnet18.safetensors" --model resnet18 --out "$work/no" \
    --data-set "$work/set"
code 3
one_err_line
err "4 classes, the network has 7"
head -c 1000 "$golden/import-resnet18.safetensors" >"$work/cut.safetensors"
run import "$work/cut.safetensors" --model resnet18 --out "$work/no"
code 3
one_err_line
run import "$work/tiny.yaml" --model resnet18 --out "$work/no"
code 3
one_err_line
run import "$work/nothing" --model resnet18 --out "$work/no"
code 1
one_err_line
not_there "$work/no"

# a run that is there is kept, but for --force
run import "$work/out.safetensors" --model resnet18 --out "$work/again" --data-set "$work/seven"
code 2
err "--force"
run eval "$work/again"
code 0
run import "$work/out.safetensors" --model resnet18 --out "$work/again" --force
code 0
run eval "$work/again"
code 2
err "none"

finish
