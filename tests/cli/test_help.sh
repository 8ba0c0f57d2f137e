#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Help goes to stdout, exits with 0, begins with an example and fits a screen.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

shown() {
    code 0
    no_err
    plain
    if [ "$(head -n 1 "$work/out" | cut -c1-9)" = "Example: " ]; then
        held
    else
        broken "help does not begin with an example"
    fi
}

run --help
shown
for command in learn eval report compare cost sweep insitu harvest array data import export explain doctor bench completion help; do
    run --help
    out "  $command "
    run "$command" --help
    shown
    out "Usage: ohmwise $command"
    out "--help"
    if [ "$(wc -l <"$work/out")" -le 40 ]; then held; else broken "help is longer than a screen"; fi
    if [ "$(wc -L <"$work/out")" -le 100 ]; then held; else broken "help is wider than 100"; fi
    cp "$work/out" "$work/by_option"
    run help "$command"
    code 0
    case $command in
    learn | sweep | cost | insitu | harvest) out "Presets:" ;;
    *) if cmp -s "$work/out" "$work/by_option"; then held; else broken "two helps differ"; fi ;;
    esac
done

run -h
shown
run help environment
code 0
for variable in OHM_DATA_DIR OHM_PRESET_PATH OHM_THREADS OHM_BACKEND NO_COLOR; do
    out "$variable"
done
run help exit-codes
code 0
out "75"
run help environmnet
code 2
err "did you mean 'environment'?"

run --version
code 0
no_err
version=$(sed -n 's/^project(ohmwise VERSION \([0-9.]*\).*/\1/p' "$source_folder/CMakeLists.txt")
out "ohmwise $version"

# help wins over missing operands, and works behind them
run learn some.yaml --help
code 0
out "Usage: ohmwise learn"

# a result that cannot be written is a failure
if [ -w /dev/full ]; then
    last="--help >/dev/full"
    exit_code=0
    "$bin" --help >/dev/full 2>"$work/err" || exit_code=$?
    code 1
    err "cannot write the result"
fi

finish
