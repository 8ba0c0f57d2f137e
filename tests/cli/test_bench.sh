#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The document of `ohmwise bench train`: each way with its parts, ratios to the dense step, and the
# peak of the memory of each way from a process of its own.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

# what a python expression says of the document d is true
says() {
    if python3 -c "import json,sys; d=json.load(open(sys.argv[1])); w=d['ohmwise']['ways']; sys.exit(0 if ($1) else 1)" \
        "$work/out"; then held; else broken "not so: $1"; fi
}

small="--model small --expand 0.25 --batch 4 --repeats 3 --rounds 2 --peer none -j 1"

# shellcheck disable=SC2086
run bench train $small
code 0
err "round 2 of 2"
says "[x['name'] for x in w] == ['dense', 'xst', 'xst 4-bit']"
says "all(x['peak_rss_bytes'] > 4e6 and x['arithmetic'] for x in w) and 'peak_rss_bytes' not in d['ohmwise']"
says "d['ohmwise']['xst_over_dense'] > 0 and d['ohmwise']['xst_4_bit_over_dense'] > 0"
says "all(x['where_s'][k] > 0 for x in w for k in ('conv_forward', 'mask', 'optimiser', 'loader', 'loss'))"
says "w[0]['grow_s'] == 0 and w[1]['grow_s'] > 0 and w[2]['grow_s'] > 0"
says "d['peer'] is None and d['ratios'] == []"
says "d['ohmwise']['threads'] == 1"

# one way alone has no ratio, and the process is its own
# shellcheck disable=SC2086
run bench train $small --quiet --way "xst 4-bit"
code 0
no_err
says "[x['name'] for x in w] == ['xst 4-bit'] and w[0]['peak_rss_bytes'] > 4e6"
says "'xst_over_dense' not in d['ohmwise']"

run bench train --way xts
code 2
no_out
err "did you mean 'xst'"

run bench train --quiet --model small --backend nonsense --peer none
no_out
one_err_line
err "nonsense"

finish
