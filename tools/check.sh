#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the tests of a build folder and ends with the line "N passed, N failed".
#   tools/check.sh BUILD [ctest options]
# Exit code: 0 when at least one test ran and none failed.
set -u

if [ $# -lt 1 ] || [ ! -f "$1/CTestTestfile.cmake" ]; then
    echo "tools/check.sh: '${1:-}' is no build folder with tests" >&2
    echo "0 passed, 1 failed"
    exit 2
fi
build=$1
shift
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

ctest --test-dir "$build" --output-on-failure -j "$(nproc)" "$@" 2>&1 | tee "$log"

# ctest closes with "98% tests passed, 1 tests failed out of 50"
failed=$(sed -n 's/.*tests passed, \([0-9]*\) tests\{0,1\} failed out of [0-9]*.*/\1/p' "$log" | tail -n 1)
total=$(sed -n 's/.*tests passed, [0-9]* tests\{0,1\} failed out of \([0-9]*\).*/\1/p' "$log" | tail -n 1)
if [ -z "$failed" ] || [ -z "$total" ] || [ "$total" -eq 0 ]; then
    echo "0 passed, 1 failed"
    exit 1
fi
echo "$((total - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
