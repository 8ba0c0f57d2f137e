#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `ohmwise data`: list, wrong usage, get from a server on the loopback with the faults of real ones,
# add, verify. Good content is Debian's package of Fashion-MNIST; where it is not installed, only
# what is refused is tested.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY
data=$work/data
OHM_DATA_DIR=$data
export OHM_DATA_DIR
package=/usr/share/datasets/fashion-mnist

refused() {
    code "$1"
    no_out
    one_err_line
    plain
}

# the data folder holds just this many entries, hidden ones too
entries() {
    last="$last (then in the data folder)"
    if [ "$(find "$data" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)" -eq "$1" ]; then
        held
    else
        ls -A "$data" >"$work/out" 2>&1
        broken "not $1 entries"
    fi
}

# list
run data list
code 0
no_err
plain
out "name	title	classes	train	test	place"
out "cifar100	CIFAR-100	100	50000	10000	-"
out "cifar10	CIFAR-10	10	50000	10000	-"
out "fashion-mnist	Fashion-MNIST	10	60000	10000	"
if awk -F '\t' 'NF != 6 { exit 1 }' "$work/out"; then held; else broken "not six fields a line"; fi
entries 0

# wrong usage
run data
refused 2
err "missing operand"
run data lsit
refused 2
err "no action 'lsit', did you mean 'list'?"
run data verfy cifar100
refused 2
err "did you mean 'verify'?"
run data frobnicate x
refused 2
err "there are: list, get, add, verify"
run data list cifar100
refused 2
err "'list' takes nothing more"
run data get
refused 2
err "'get' takes one set"
run data get cifar10 cifar100
refused 2
run data add cifar10
refused 2
err "'add' takes a set and where its files are"
run data add cifar10 a b
refused 2
err "'b' is one operand too many"
run data verify
refused 2
run data add cifar10 . --url http://127.0.0.1/
refused 2
err "'--url' goes with 'get' only"
run data get cifar10 --url
refused 2
for action in "get cifar1000" "add cifar1000 ." "verify cifar1000"; do
    # shellcheck disable=SC2086
    run data $action
    refused 2
    err "there is no data set 'cifar1000' (did you mean 'cifar100'?"
done
OHM_DATA_DIR='' HOME='' run data get cifar10
refused 2
err "OHM_DATA_DIR"
entries 0

# not there
run data verify cifar10
refused 1
err "'cifar10' is not on this machine (get it with 'ohmwise data get cifar10'"

# add: nothing to take, the wrong thing
run data add cifar10 "$work/nothing"
refused 1
mkdir "$work/empty"
run data add cifar10 "$work/empty"
refused 3
err "does not hold the files of 'cifar10'"
err "data_batch_1.bin"
printf 'no archive' >"$work/text"
run data add cifar10 "$work/text"
refused 3
err "not an archive"
python3 - "$work" <<'EOF'
import io, sys, tarfile
for name, entry in (("up", "../evil"), ("root", "/tmp/ohm-test-evil"), ("link", "test_batch.bin")):
    with tarfile.open(sys.argv[1] + "/" + name + ".tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo(entry)
        if name == "link":
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(info)
        else:
            info.size = 4
            tar.addfile(info, io.BytesIO(b"evil"))
EOF
for name in up root link; do
    run data add cifar10 "$work/$name.tar.gz"
    refused 3
done
if [ -e "$work/evil" ] || [ -e /tmp/ohm-test-evil ]; then broken "a file outside"; else held; fi
entries 0
printf 'x' >"$work/file"
OHM_DATA_DIR=$work/file/data run data add cifar10 "$work/empty"
refused 1

# a server on the loopback
mkdir "$work/www"
port_file=$work/port
python3 "$(dirname "$0")/range_server.py" "$work/www" "$port_file" &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
tries=0
while [ ! -s "$port_file" ] && [ "$tries" -lt 300 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
base=http://127.0.0.1:$(cat "$port_file")
head -c 100000 /dev/zero | tr '\0' 'x' >"$work/www/set.tar.gz"

run data get cifar10 --url "$base/ranges/none"
refused 1
err "404"
entries 0
run data get cifar10 --url http://127.0.0.1:1/x
refused 1
err "cannot download 'http://127.0.0.1:1/x'"
entries 0
run data get cifar10 --url file:///etc/passwd
refused 1
entries 0
run data get cifar10 --url "$base/ranges/set.tar.gz"
refused 4
err "digest"
entries 0
run data get cifar100 --url "$base/whole/set.tar.gz"
refused 3
err "not an archive"
entries 0

# cut: what came stays, out of sight, and the next call goes on there
run data get cifar10 --url "$base/cut/40000/set.tar.gz"
refused 1
err "run the same command again"
entries 1
run data list
out "cifar10	CIFAR-10	10	50000	10000	-"
run data get cifar10 --url "$base/cut/40000/set.tar.gz"
refused 1
run data get cifar10 --url "$base/cut/40000/set.tar.gz"
refused 4
entries 0
if [ "$(tail -n 3 "$port_file.log" | cut -d ' ' -f 1 | tr '\n' ' ')" = "0 40000 80000 " ]; then
    held
else
    cp "$port_file.log" "$work/out"
    broken "did not go on where it was"
fi

# stopped by the user: exit code 75, no set
last="data get, stopped"
"$bin" data get cifar10 --url "$base/slow/set.tar.gz" >"$work/out" 2>"$work/err" </dev/null &
program=$!
tries=0
while ! find "$data" -name '*.part' -size +0 2>/dev/null | grep -q . && [ "$tries" -lt 200 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
kill -TERM "$program"
exit_code=0
wait "$program" || exit_code=$?
refused 75
err "was stopped"
if [ -e "$data/cifar10" ]; then broken "half a set"; else held; fi
rm -rf "$data"

if [ -r "$package/train-images-idx3-ubyte.gz" ]; then
    ln -s "$package"/*.gz "$work/www/"
    run data get fashion-mnist --url "$base/ranges/"
    code 0
    no_err
    out "fashion-mnist	$data/fashion-mnist"
    entries 1
    run data list
    out "fashion-mnist	Fashion-MNIST	10	60000	10000	$data/fashion-mnist"
    run data verify fashion-mnist
    code 0
    no_err
    out "fashion-mnist	$data/fashion-mnist"

    # one bit of one image
    python3 - "$data/fashion-mnist/t10k-images-idx3-ubyte" <<'EOF'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(1234567)
    byte = file.read(1)[0]
    file.seek(1234567)
    file.write(bytes([byte ^ 1]))
EOF
    run data verify fashion-mnist
    refused 4
    err "digest"

    # adding it again from an archive mends it; a wrong one does not touch it
    tar -C "$package" -cf "$work/set.tar" .
    run data add fashion-mnist "$work/set.tar"
    code 0
    no_err
    out "fashion-mnist	$data/fashion-mnist"
    run data add fashion-mnist "$work/up.tar.gz"
    refused 3
    entries 1
    run data verify fashion-mnist -q
    code 0
else
    echo "the package dataset-fashion-mnist is not installed: good sets are not tested"
fi

# a folder of the user's own needs no adding
mkdir -p "$work/own"
python3 "$(dirname "$0")/tiny_set.py" "$work/own/set"
run data verify "$work/own/set"
code 0
no_err
out "$work/own/set"

finish
