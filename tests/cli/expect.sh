# SPDX-License-Identifier: Apache-2.0
# What the tests of the command line share; read by `. expect.sh BIN SOURCE_DIR`'s callers.
#   run ARGUMENTS...     runs the program; leaves its exit code, stdout and stderr in $work
#   code N               its exit code was N
#   out TEXT, err TEXT   stdout, stderr contain the text; no_out, no_err: they are empty
#   finish               last line of a test: says how many held, fails when one did not
# shellcheck shell=sh disable=SC2034

bin=$1
source_folder=$2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n_held=0
n_broken=0

# the surroundings of whoever runs the tests must not matter
unset OHM_DATA_DIR OHM_PRESET_PATH OHM_THREADS OHM_BACKEND NO_COLOR XDG_CACHE_HOME
HOME=$work/home
export HOME
mkdir -p "$HOME"

run() {
    last="$*"
    exit_code=0
    "$bin" "$@" >"$work/out" 2>"$work/err" </dev/null || exit_code=$?
}

held() {
    n_held=$((n_held + 1))
}

broken() {
    n_broken=$((n_broken + 1))
    echo "ohmwise $last: $1"
    sed 's/^/    stdout: /' "$work/out" | head -n 20
    sed 's/^/    stderr: /' "$work/err" | head -n 20
}

code() {
    if [ "$exit_code" -eq "$1" ]; then held; else broken "exit code $exit_code, expected $1"; fi
}

out() {
    if grep -qF -e "$1" "$work/out"; then held; else broken "stdout lacks '$1'"; fi
}

err() {
    if grep -qF -e "$1" "$work/err"; then held; else broken "stderr lacks '$1'"; fi
}

no_out() {
    if [ -s "$work/out" ]; then broken "stdout is not empty"; else held; fi
}

no_err() {
    if [ -s "$work/err" ]; then broken "stderr is not empty"; else held; fi
}

# errors are one line
one_err_line() {
    if [ "$(wc -l <"$work/err")" -eq 1 ]; then held; else broken "stderr is not one line"; fi
}

# no escape sequences
plain() {
    if grep -q "$(printf '\033')" "$work/out" "$work/err"; then
        broken "colours where nobody sees them"
    else
        held
    fi
}

finish() {
    echo "$n_held held, $n_broken broken"
    [ "$n_broken" -eq 0 ] && [ "$n_held" -gt 0 ]
}
