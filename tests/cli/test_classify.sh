#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# classify: what a run takes pictures for, without its data set; names of classes of an imported
# network; files and command lines that are refused.
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

# pictures of three colours, as PNG files, wider than high
python3 - "$work/colours" <<'EOF2'
import os, random, struct, sys, zlib
random.seed(4)
def png(path, width, height, colour):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))
    rows = b""
    for _ in range(height):
        rows += b"\0"
        for _ in range(width):
            rows += bytes(min(255, max(0, v + random.randrange(-40, 40))) for v in colour)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" +
                   chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
for part, n in (("train", 16), ("test", 4)):
    for name, colour in (("blue", (40, 60, 210)), ("green", (50, 200, 60)), ("red", (210, 50, 40))):
        folder = os.path.join(sys.argv[1], part, name)
        os.makedirs(folder)
        for i in range(n):
            png(os.path.join(folder, f"{i}.png"), 11 + i % 3, 10, colour)
EOF2
cat >"$work/colours.yaml" <<EOF
name: colours
threads: 1
data:
  set: $work/colours
  split: sets
  image_size: 8
  augment: false
network:
  model: small
  expand: 0.5
method: dense
quantise:
  weight_bits: 0
  activation_bits: 0
train:
  epochs: 12
  batch: 16
  lr: 0.05
EOF
run learn "$work/colours.yaml" --out "$work/run" --quiet
code 0
mv "$work/colours" "$work/away"

# every picture is known, and no data set is needed
run classify "$work/run" "$work"/away/test/*/*.png --json
code 0
no_err
json 'len(d["images"]) == 12 and d["on"] == "float" and d["task"] == 1'
json 'all(i["guesses"][0]["name"] in i["image"].split("/") for i in d["images"])'
json 'all(len(i["guesses"]) == 3 for i in d["images"])'
json 'all(abs(sum(g["probability"] for g in i["guesses"]) - 1) < 1e-4 for i in d["images"])'
json 'all(i["guesses"][0]["probability"] >= i["guesses"][1]["probability"] for i in d["images"])'
run classify "$work/run" "$work/away/test/red/0.png" --top 1
code 0
no_err
out "0.png"
out "%  red"
if [ "$(wc -l <"$work/out")" -eq 2 ]; then held; else broken "not two lines"; fi

# more than are held in memory at once; the order is that of the command line
# shellcheck disable=SC2046 # blanks divide the names
run classify "$work/run" $(for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
    echo "$work/away/test/green/0.png $work/away/test/blue/1.png $work/away/test/red/2.png"
    echo "$work/away/test/red/0.png $work/away/test/blue/2.png"
done) --json -j 2
code 0
json 'len(d["images"]) == 70'
json '[i["guesses"][0]["name"] for i in d["images"]] == ["green", "blue", "red", "red", "blue"] * 14'

# a network of one channel and of two tasks
python3 "$(dirname "$0")/tiny_set.py" "$work/set"
sed -e "s,$work/colours,$work/set," -e 's/split: sets/classes_per_task: 2/' \
    -e 's/method: dense/method: xst/' -e 's/_bits: 0/_bits: 4/' -e 's/epochs: 12/epochs: 1/' \
    "$work/colours.yaml" >"$work/two.yaml"
run learn "$work/two.yaml" --out "$work/two" --quiet
code 0
run classify "$work/two" "$work/away/test/red/0.png"
code 2
err "give --task"
run classify "$work/two" "$work/away/test/red/0.png" --task 2 --json
code 0
json 'd["task"] == 2 and d["on"] == "integer" and len(d["images"][0]["guesses"]) == 2'
run classify "$work/two" "$work/away/test/red/0.png" --task 3
code 2
rm "$work/two/tasks.json"
run classify "$work/two" "$work/away/test/red/0.png" --task 2
code 5
one_err_line
err "tasks.json"

# an imported network with names
python3 -c 'import json; print(json.dumps({str(i): "class %s" % "abcdefg"[i] for i in range(7)}))' \
    >"$work/names.json"
run import "$golden/import-resnet18.safetensors" --model resnet18 --classes "$work/names.json" \
    --out "$work/imported"
code 0
run classify "$work/imported" "$work/away/test/red/0.png" --top 9 --json
code 0
json 'len(d["images"][0]["guesses"]) == 7'
json 'all(g["name"] == "class " + "abcdefg"[g["class"]] for g in d["images"][0]["guesses"])'
printf 'one\r\ntwo\nthree\nfour\nfive\nsix\nseven\n\n' >"$work/names.txt"
run import "$golden/import-resnet18.safetensors" --model resnet18 --classes "$work/names.txt" \
    --out "$work/imported" --force
code 0
run classify "$work/imported" "$work/away/test/red/0.png" --top 9
code 0
out "  one"
out "  seven"
printf 'one\ntwo\n' >"$work/names.txt"
run import "$golden/import-resnet18.safetensors" --model resnet18 --classes "$work/names.txt" \
    --out "$work/no"
code 3
one_err_line
err "names.txt: 2 names of classes, the network has 7"
printf '["a", "b", 3, "d", "e", "f", "g"]' >"$work/names.txt"
run import "$golden/import-resnet18.safetensors" --model resnet18 --classes "$work/names.txt" \
    --out "$work/no"
code 3
one_err_line
err "class 2"
printf 'a\nb\n\nd\ne\nf\ng\n' >"$work/names.txt"
run import "$golden/import-resnet18.safetensors" --model resnet18 --classes "$work/names.txt" \
    --out "$work/no"
code 3
err "class 2"
if [ -e "$work/no" ]; then broken "something was left behind"; else held; fi

# files that are no pictures: the first one is named
head -c 60 "$work/away/test/red/0.png" >"$work/cut.png"
run classify "$work/run" "$work/away/test/red/0.png" "$work/cut.png" "$work/names.txt"
code 3
one_err_line
err "cut.png"
no_out
run classify "$work/run" "$work/nothing.png"
code 1
one_err_line
run classify "$work/nothing" "$work/away/test/red/0.png"
code 1
run classify "$work/run"
code 2
run classify "$work/run" "$work/cut.png" --top 0
code 2
run classify "$work/run" "$work/away/test/red/0.png" --on integer
code 2
err "float"

finish
