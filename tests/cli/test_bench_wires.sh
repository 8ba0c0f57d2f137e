#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The document of `ohmwise bench wires`, alone; the options it has and those it has not.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

# what a python expression says of the document d and the first size w is true
says() {
    if python3 -c "import json,sys; d=json.load(open(sys.argv[1])); w=d['sizes'][0]['ohmwise']; sys.exit(0 if ($1) else 1)" \
        "$work/out"; then held; else broken "not so: $1"; fi
}

run bench wires --size 64 --arrays 3 --rounds 2 --peer none
code 0
err "round 2 of 2"
says "[x['size'] for x in d['sizes']] == [64] and d['sizes'][0]['peers'] == []"
says "0 < w['vector_after_s'] < w['estimate_1_sweep_s'] < w['effective_s']"
says "w['vector_1t1r_s'] > 0 and d['rounds'] == 2"
says "d['network']['arrays'] == 3 and d['network']['processor_s'] > 0"

run bench wires --size 72 --arrays 0 --rounds 1 --peer none --quiet
code 0
no_err
says "d['network'] is None"

run bench wires --model small
code 2
one_err_line
err "'bench wires' takes no '--model'"
run bench train --arrays 3
code 2
err "are for 'bench wires'"
run bench wires --size 65
code 2
no_out

finish
