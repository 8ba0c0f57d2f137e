#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The examples of the library: built with the project, and by a user against an installed library.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

python3 "$(dirname "$0")/tiny_set.py" "$work/set"
cat >"$work/tiny.yaml" <<EOF
threads: 1
data:
  set: $work/set
  classes_per_task: 2
network:
  model: small
  expand: 1
train:
  epochs: 2
  batch: 16
EOF

build=$(cd "$(dirname "$bin")" && pwd)
learns() {
    bin=$1
    run "$work/tiny.yaml" "$2"
    code 0
    no_err
    out "task 2 of 2, 2+3: "
    out "0+1 at the end: "
    if [ -s "$2/report.html" ]; then held; else broken "no report"; fi
    run "$work/none.yaml" "$work/never"
    code 1
    no_err_but "none.yaml"
}
no_err_but() {
    one_err_line
    err "$1"
}
learns "$build/example_learn" "$work/run"
run
code 2

# one array: without wires but with source and sense something is lost already
bin=$build/example_array
run
code 0
no_err
out "0.0 ohm"
out "10.0 ohm"
if [ "$(grep -c 'of the current is lost' "$work/out")" -eq 5 ]; then held; else broken "not five lines"; fi
run 0 3
code 2
one_err_line

# installed into a folder of its own, found by pkg-config, moved elsewhere
if cmake --install "$build" --prefix "$work/first" >"$work/out" 2>"$work/err"; then held; else
    broken "not installed"
fi
mv "$work/first" "$work/prefix"
sanitised=""
if grep -q __asan_init "$work/prefix/lib/libohmwise.a"; then
    sanitised=-fsanitize=address,undefined
fi
# shellcheck disable=SC2046,SC2086 # flags are split on purpose
if ${CC:-cc} -std=c17 -Wall -Wextra -Werror $sanitised "$source_folder/examples/learn.c" \
    -o "$work/learn" $(PKG_CONFIG_PATH="$work/prefix/lib/pkgconfig" \
        pkg-config --cflags --libs ohmwise) >"$work/out" 2>"$work/err"; then
    held
    learns "$work/learn" "$work/other"
    if cmp -s "$work/run/metrics.csv" "$work/other/metrics.csv"; then held; else
        broken "another result"
    fi
else
    last="cc examples/learn.c"
    broken "it does not build"
fi

# the program works where it was installed, with its presets
bin=$work/prefix/bin/ohmwise
run --version
code 0
run learn learn/fashion-mnist-xst --dry-run
code 0
out "fashion-mnist"

finish
