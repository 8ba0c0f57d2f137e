#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The document of `ohmwise bench simulate`, alone; all rows of products convert the same sums.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

for backend in auto avx2 reference; do
    run bench simulate --rounds 1 --repeats 1 --peer none --backend $backend
    if [ "$exit_code" -eq 5 ]; then continue; fi
    code 0
    if python3 - "$work/out" <<EOF
import json, sys
d = json.load(open(sys.argv[1]))
assert d["peer"] is None and d["agrees"] is None and d["ratios"] == []
ways = d["ohmwise"]["ways"]
assert [w["name"] for w in ways] == ["exact", "real", "noise"]
assert ways[0]["checksum"] == 247497777
assert all(w["conversions_per_s"] > 0 for w in ways)
EOF
    then held; else broken "not the document"; fi
done
run bench simulate --model small
code 2
err "'bench simulate' takes no more than"
run bench simulate --backend nothing --quiet
code 5
err "'nothing'"
one_err_line

finish
