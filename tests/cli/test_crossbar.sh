#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A run on crossbars: eval --on crossbar gives the bits of the integer network with ideal converters,
# whatever the arrays, and other numbers with converters of few bits; wrong settings are refused.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

python3 "$(dirname "$0")/tiny_set.py" "$work/set"
cat >"$work/tiny.yaml" <<EOF
threads: 1
data: {set: $work/set, split: classes, classes_per_task: 2, augment: false}
network: {model: small, expand: 1}
train: {epochs: 2, batch: 16}
EOF
run learn "$work/tiny.yaml" --out "$work/run"
code 0

# the same bits, array by array
run eval "$work/run" --task 2 --on integer --logits "$work/integer.npy"
code 0
for arrays in "array.rows=72" "array.rows=20 array.columns=41 array.cell_bits=1" \
    "array.weight_scheme=differential array.cell_bits=3" "array.weight_scheme=offset_digital" \
    "array.heads=digital array.rows=300"; do
    # shellcheck disable=SC2086
    run eval "$work/run" $arrays adc.range=ideal --task 2 --on crossbar --logits "$work/chip.npy"
    code 0
    out "G conversions"
    if cmp -s "$work/integer.npy" "$work/chip.npy"; then held; else broken "other logits"; fi
done

# one bit is not enough, and is not taken for ideal
run eval "$work/run" adc.range=full adc.bits=1 --task 2 --on crossbar --logits "$work/chip.npy"
code 0
if cmp -s "$work/integer.npy" "$work/chip.npy"; then broken "the same logits"; else held; fi

# all tasks, calibrated as by default; the same again
run eval "$work/run" --on crossbar --json
code 0
cp "$work/out" "$work/first"
run eval "$work/run" --on crossbar --json adc.range=calibrated
code 0
if python3 - "$work/first" "$work/out" <<EOF
import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
assert a["on"] == "crossbar" and len(a["tasks"]) == 2
for x, y in zip(a["tasks"], b["tasks"]):
    assert x["accuracy"] == y["accuracy"] and x["conversions"] == y["conversions"] > 0
EOF
then held; else broken "not the same tasks"; fi

# given levels of converters
python3 - "$work/levels.npy" 4 <<EOF
import struct, sys
n = int(sys.argv[2])
header = repr({"descr": "<f4", "fortran_order": False, "shape": (n,)})
header += " " * (63 - (10 + len(header)) % 64) + "\n"
with open(sys.argv[1], "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    file.write(struct.pack("<%df" % n, *[(i / (n - 1)) ** 2 for i in range(n)]))
EOF
run eval "$work/run" --on crossbar adc.range=full adc.bits=2 adc.levels="$work/levels.npy" --task 1
code 0
run eval "$work/run" --on crossbar adc.range=full adc.bits=3 adc.levels="$work/levels.npy" --task 1
code 3
err "levels.npy: not a list of 8 float32 numbers"
one_err_line

# placing: a table, a document, a picture that is XML, and the report's section
run map "$work/run"
code 0
out "arrays of 72 x 72 cells of 2 bits"
run map "$work/run" array.columns=40 fault.preset=chen2015 --picture "$work/array.svg" --json
code 0
if python3 - "$work/out" "$work/run/map.json" "$work/array.svg" <<EOF
import json, sys, xml.dom.minidom
d = json.load(open(sys.argv[1]))
assert d == json.load(open(sys.argv[2]))
assert d["array"]["columns"] == 40 and d["arrays"] == sum(l["arrays"] for l in d["layers"])
assert d["cells"] == d["arrays"] * 72 * 40
assert d["columns"] == sum(t["columns_owned"] for t in d["tasks"]) + d["columns_free"]
assert 0 < d["part_owned"] <= d["part_weight"] < d["part_lines"] <= 1
assert any("+" in row for row in d["picture"]["stuck"])
svg = xml.dom.minidom.parse(sys.argv[3])
assert len(svg.getElementsByTagName("path")) > 4
assert any("stuck on" in t.firstChild.data for t in svg.getElementsByTagName("text"))
EOF
then held; else broken "map.json or the picture is not as it should be"; fi
run report "$work/run"
code 0
if grep -q "<h2>Arrays</h2>" "$work/run/report.html" && grep -q 'class="array"' "$work/run/report.html"
then held; else broken "the report has no arrays"; fi
rm "$work/run/map.json"
run map "$work/run" --out "$work/elsewhere.json"
code 0
if [ -s "$work/elsewhere.json" ] && [ ! -e "$work/run/map.json" ]; then held; else broken "written elsewhere"; fi
run map "$work/run" --array 999999
code 2
err "there is no array 999999"
one_err_line
run map "$work/run" train.lr=1
code 2
err "array, fault, cell, chip"
run map "$work/nothing"
code 1
one_err_line

# tasks with weights of their own: in the arrays of what they copy, or in arrays of their own
run learn "$work/tiny.yaml" method=dense data.tasks=1 -q --out "$work/backbone"
code 0
run learn "$work/tiny.yaml" method=xma2 "method.backbone=$work/backbone" method.choose_ratio=0.3 -q \
    --out "$work/xma2"
code 0
for task in 1 2; do
    run eval "$work/xma2" --task $task --on integer --logits "$work/integer.npy"
    code 0
    for arrays in array.copies=rewrite "array.copies=rewrite array.columns=41" array.copies=arrays; do
        # shellcheck disable=SC2086
        run eval "$work/xma2" $arrays adc.range=ideal --task $task --on crossbar --logits "$work/chip.npy"
        code 0
        if cmp -s "$work/integer.npy" "$work/chip.npy"; then held; else broken "other logits"; fi
    done
done
run map "$work/xma2" --json
code 0
cp "$work/out" "$work/rewrite"
run map "$work/xma2" array.copies=arrays --json
code 0
if python3 - "$work/rewrite" "$work/out" <<EOF
import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
copied = sum(t["pes_copied"] for t in a["tasks"])
assert copied > 0 and a["arrays_copies"] == 0 and b["arrays_copies"] == copied
assert b["arrays"] == a["arrays"] + copied == sum(l["arrays"] for l in b["layers"])
owners = {o["owner"]: o for o in b["owners"]}
assert [o["owner"] for o in b["owners"]] == ["backbone", "task 1", "task 2"]
for d in a, b:
    assert d["columns"] == sum(o["columns"] for o in d["owners"])
    assert abs(sum(o["part"] for o in d["owners"]) - d["part_weight"]) < 1e-9
for was, now in zip(a["tasks"], b["tasks"]):
    assert now["columns_owned"] == was["columns_owned"] + was["columns_copied"]
    assert owners[f"task {now['task']}"]["columns"] == now["columns_owned"]
EOF
then held; else broken "not the arrays of the copies"; fi
run map "$work/xma2" array.copies=arrays
code 0
out "tasks' own copies"
out "backbone"
run map "$work/xma2" array.copies=arrays array.columns=40
code 5
err "an array is a PE as learned"
one_err_line
run simulate "$work/xma2" array.copies=arrays adc.range=ideal fault.preset=chen2015 --chips 2 --json
code 0
if python3 -c "import json, sys
p, m = json.load(open(sys.argv[1]))['points'][0], json.load(open(sys.argv[2]))
assert p['arrays'] == m['arrays'] and len(p['chips']) == 2" "$work/out" "$work/xma2/map.json"
then held; else broken "other arrays"; fi

# what cannot be
run eval "$work/run" --on crossbar train.lr=1
code 2
err "'train.lr' is what the run was learned with"
err "array, adc"
run eval "$work/run" --on crossbar adc.bit=1
code 2
err "adc.bits"
run eval "$work/run" --on crossbar array.columns=3
code 2
err "'array.columns' to"
one_err_line
run eval "$work/run" adc.bits=4 --on integer
code 2
err "use --on crossbar"
run eval "$work/run" --on crossbar nonsense
code 2
err "'nonsense' is not of the form key=value"

finish
