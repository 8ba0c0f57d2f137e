#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Completion: the scripts hold every command and option, the shells accept them, and bash's works.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

for shell in bash zsh fish; do
    run completion "$shell"
    code 0
    no_err
    for word in learn eval report compare sweep data explain doctor bench out force logits task train.lr; do
        out "$word"
    done
    cp "$work/out" "$work/completion.$shell"
    if command -v "$shell" >/dev/null 2>&1; then
        last="completion $shell, read by $shell"
        if "$shell" -n "$work/completion.$shell" 2>"$work/err"; then held; else broken "not valid"; fi
    fi
done

run completion tcsh
code 2
no_out

# what bash offers for a line whose last word is being typed
offers() {
    bash -c '
        . "$1"
        shift
        COMP_WORDS=("$@")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        compopt() { :; }
        _ohmwise
        printf "%s\n" "${COMPREPLY[@]}"
    ' bash "$work/completion.bash" "$@" >"$work/out" 2>"$work/err"
    last="(bash completes: $*)"
}

if command -v bash >/dev/null 2>&1; then
    offers ohmwise le
    out "learn"
    no_err
    offers ohmwise learn --fo
    out "--force"
    offers ohmwise learn train.mo
    out "train.momentum="
    offers ohmwise sweep experiments/xst
    out "experiments/xst-table-1"
    offers ohmwise learn experiments/xst
    if grep -q xst-table "$work/out"; then broken "an experiment is no config"; else held; fi
    offers ohmwise compare --pub
    out "--published"
    offers ohmwise eval --on in
    out "integer"
    offers ohmwise explain array.
    out "array.rows"
    offers ohmwise completion z
    out "zsh"
    offers ohmwise eval --color n
    out "never"
fi

finish
