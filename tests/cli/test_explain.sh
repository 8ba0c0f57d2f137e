#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `ohmwise explain`: keys, sections, all of them, Markdown, and mistyped ones.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

run explain
code 0
no_err
out "train.lr"
out "array.rows"

run explain train.lr
code 0
no_err
plain
out "train.lr"
out "0.01"

run explain train
code 0
out "train.momentum"

run explain --all
code 0
out "array.rows"
out "method.density_first"

run explain --format md
code 0
out "train.lr"
out "|"

# docs/config.md is what the program says
last="explain --format md, against docs/config.md"
if sh "$source_folder/tools/make_config_docs.sh" "$bin" --check >"$work/out" 2>"$work/err"; then
    held
else
    broken "it is not current"
fi

run explain train.lrr
code 2
no_out
one_err_line
err "train.lr"

run explain train.lr --all
code 2
err "cannot go together"

# every key that is listed can be explained
"$bin" explain | sed '/^$/,$d' | tr ' ' '\n' >"$work/keys"
n_keys=$(wc -l <"$work/keys")
last="explain (each of $n_keys keys)"
if [ "$n_keys" -ge 30 ]; then held; else broken "only $n_keys keys"; fi
while read -r key; do
    run explain "$key"
    code 0
    out "$key"
done <"$work/keys"

finish
