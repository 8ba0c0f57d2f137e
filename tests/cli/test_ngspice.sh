#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Currents of random arrays against ngspice, on the netlists that `ohmwise array` writes: relative
# difference at most 1e-9 in every column. The netlist sets reltol 1e-12, abstol 1e-25 A, vntol
# 1e-20 V and gmin 1e-25 S, and prints 16 digits. Skipped, with a line, where there is no ngspice.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
cd "$work" || exit 1
if ! command -v ngspice >/dev/null; then
    echo "skipped: there is no ngspice"
    exit 0
fi

# compare NAME ROWS COLUMNS ARGUMENTS...: a random array with a tenth of its cells at 0
compare() {
    name=$1 rows=$2 columns=$3
    shift 3
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$source_folder/tests/cli" python3 -c "
import npy, random
r = random.Random('$name')
npy.save('g.npy', [[0.0 if r.random() < 0.1 else 10 ** r.uniform(-6, -3.5) for _ in range($columns)] for _ in range($rows)])
npy.save('v.npy', [0.0 if r.random() < 0.3 else r.uniform(-0.1, 0.3) for _ in range($rows)], 'f')"
    run array -g g.npy --voltage v.npy -o i.npy --netlist n.cir --check 1 --json "$@"
    code 0
    ngspice -b n.cir >spice 2>/dev/null
    if PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$source_folder/tests/cli" python3 -c "
import json, npy, sys
i = npy.load('i.npy')[1]
s = [float(line.split('=')[1]) for line in open('spice') if line.startswith('i(vs')]
assert len(s) == len(i) == $columns, 'ngspice printed %d currents' % len(s)
worst = max(abs(a - b) / abs(b) for a, b in zip(i, s))
residual = json.load(open('out'))['check']['kirchhoff_residual']
print('$name: largest relative difference from ngspice %.2g, Kirchhoff residual %.2g' % (worst, residual))
sys.exit(0 if worst <= 1e-9 and residual <= 1e-12 else 1)"; then
        held
    else
        broken "$name differs from ngspice"
    fi
}

compare "17 x 40" 17 40 -w 2.5,1
compare "17 x 40, sides and ends" 17 40 -w 1,5 --source-ohm 300 --sense-ohm 50 --drive right --sense top
compare "17 x 40, wires of 0" 17 40 -w 0,3 --source-ohm 20 --sense-ohm 0
compare "17 x 40, 1T1R" 17 40 -w 2.5,1 --cells 1t1r
compare "9 x 5, ideal" 9 5 -w 0,0
compare "72 x 72" 72 72 -w 1,1 --source-ohm 100

finish
