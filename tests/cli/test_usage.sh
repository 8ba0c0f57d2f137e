#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Wrong usage: exit code 2, one line on stderr, nothing on stdout, and which name was meant.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

wrong() {
    code 2
    no_out
    one_err_line
    plain
}

run
wrong
err "which command?"

run lern
wrong
err "unknown command 'lern', did you mean 'learn'?"

run xyzzy
wrong
err "unknown command 'xyzzy'"

run --frobnicate
wrong
err "unknown option '--frobnicate'"

run learn some.yaml --otu runs/x
wrong
err "unknown option '--otu', did you mean '--out'?"
err "see 'ohmwise help learn'"

run eval run --xyzzy
wrong
err "unknown option '--xyzzy'"

run report -z
wrong
err "unknown option '-z'"

run learn
wrong
err "missing operand: CONFIG"

run export a b c
wrong
err "'c' is one operand too many"

run learn some.yaml --out
wrong
err "option '--out' needs a value"

run learn some.yaml -o
wrong
err "option '-o' needs a value"

run doctor --json=yes
wrong
err "option '--json' takes no value"

run eval run --on flaot
wrong
err "'--on' cannot be 'flaot', did you mean 'float'?"

run explain --format pdf
wrong
err "'--format' cannot be 'pdf'"

run bench train --batch many
wrong
err "'--batch' is 'many', allowed are whole numbers from 2 to 4096"

run bench train --batch 12x
wrong
run bench train --batch 99999999999999999999
wrong
run bench train --expand nan
wrong
err "'--expand' is 'nan'"

run bench run
wrong
err "no benchmark 'run'"

# an option that may be short for two
run learn some.yaml --f --o x --pro
wrong
run eval run --da
wrong
run completion fihs
wrong
err "did you mean 'fish'?"

OHM_THREADS=lots run doctor
wrong
err "OHM_THREADS is 'lots'"

finish
