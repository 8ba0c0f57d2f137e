#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `ohmwise array`: files in, files out, the numbers of closed forms, refusals that name the place.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
cd "$work" || exit 1

# python with the helper for .npy files
py() {
    if PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$source_folder/tests/cli" python3 -c "import json, math, npy
$1"; then held; else broken "not so: $1"; fi
}
nothing_written() {
    for file in "$@"; do
        if [ -e "$file" ]; then broken "$file was written"; else held; fi
    done
}

py "
npy.save('one.npy', [[1e-3]])
npy.save('g.npy', [[1e-4, 2e-4, 0.0], [5e-5, 0.0, 1e-5]])
npy.save('g32.npy', [[1e-4, 2e-4, 0.0], [5e-5, 0.0, 1e-5]], 'f')
npy.save('v.npy', [0.2, 0.1])
npy.save('vs.npy', [[0.2, 0.1], [0.2, 0.0], [0.0, 0.0], [-0.1, 0.3]], 'f')"

# one cell is a divider: 1 V over 7 + 1000 + 11 ohm
run array --conductance one.npy --wire-ohm 1,1 --source-ohm 7 --sense-ohm 11 --out i.npy --json
code 0
no_err
py "
shape, i = npy.load('i.npy')
assert shape == (1,) and abs(i[0] * 1018 - 1) < 1e-14
d = json.load(open('out'))
assert d['rows'] == d['columns'] == d['vectors'] == 1 and d['check'] is None
assert d['wires'] == {'word_ohm': 1, 'bit_ohm': 1, 'source_ohm': 7, 'sense_ohm': 11}
assert abs(d['mean_error'] - 18 / 1018) < 1e-14"

# without wires the product, in both types of numbers, a vector and several
run array -g g.npy --voltage v.npy -w 0,0 -o i.npy --effective e.npy
code 0
no_err
out "2 rows x 3 columns"
py "
assert npy.load('i.npy') == ((3,), [0.2 * 1e-4 + 0.1 * 5e-5, 0.2 * 2e-4, 0.1 * 1e-5])
assert npy.load('e.npy') == ((2, 3), [1e-4, 2e-4, 0.0, 5e-5, 0.0, 1e-5])"

# the effective matrix gives the currents; every node is checked; float32 differs as its rounding
run array -g g.npy --voltage vs.npy -w 20,30 -o i.npy --effective e.npy --check 9 --json
code 0
py "
shape, i = npy.load('i.npy')
e = npy.load('e.npy')[1]
v = [[0.2, 0.1], [0.2, 0.0], [0.0, 0.0], [-0.1, 0.3]]
assert shape == (4, 3) and i[6:9] == [0, 0, 0]
assert all(abs(i[3 * n + j] - v[n][0] * e[j] - v[n][1] * e[3 + j]) < 1e-12 for n in range(4) for j in range(3))
assert 0 < e[2] < 1e-7
d = json.load(open('out'))
assert d['check']['vectors'] == 4 and d['check']['kirchhoff_residual'] < 1e-12
assert d['check']['difference'] < 1e-12 and d['vectors'] == 4"
run array -g g32.npy --voltage vs.npy -w 20,30 -o i32.npy
code 0
py "
a, b = npy.load('i.npy')[1], npy.load('i32.npy')[1]
assert a != b and all(abs(x - y) <= 1e-6 * abs(x) for x, y in zip(a, b))"

# 1T1R: the vector without row 1 is the array without it; the others are passive
run array -g g.npy --voltage vs.npy -w 20,30 -o t.npy --cells 1t1r --check 4 --json
code 0
py "
a, b = npy.load('i.npy')[1], npy.load('t.npy')[1]
assert all(abs(x - y) <= 1e-13 * abs(x) for x, y in zip(a[:3] + a[9:], b[:3] + b[9:]))
assert b[5] == 0 and a[5] != 0 and b[6:9] == [0, 0, 0]
assert json.load(open('out'))['check']['difference'] < 1e-12"
run array -g g.npy --voltage v.npy -w 20,30 --cells 1t1r --effective no.npy
code 2
one_err_line
err "no effective matrix"
nothing_written no.npy

# the estimate: the error that the check finds is within the bound
run array -g g.npy --voltage vs.npy -w 20,30 --estimate 2 --check 4 --json
code 0
py "
d = json.load(open('out'))
assert 0 < d['check']['difference'] <= d['error_bound'] < 0.1 and d['check']['kirchhoff_residual'] < 1e-12"
run array -g g.npy -w 20,30 --estimate 1
code 0
out "bound of errors"
run array -g g.npy -w 20,30 --estimate 1 --cells 1t1r
code 2
one_err_line

# sides: mirrored arrays
py "npy.save('m.npy', [[1e-5, 0.0, 5e-5], [0.0, 2e-4, 1e-4]])"
run array -g g.npy -w 20,30 --effective e.npy
run array -g m.npy -w 20,30 --effective m_e.npy --drive right --sense top
code 0
py "assert npy.load('e.npy')[1] == npy.load('m_e.npy')[1][::-1]"

# netlists have every element, none of those that are not there
run array -g g.npy --voltage v.npy -w 20,0 --netlist n.cir
code 0
if [ "$(grep -c '^rc' n.cir)" -eq 4 ] && [ "$(grep -c '^rw' n.cir)" -eq 6 ] &&
    [ "$(grep -c '^rb' n.cir)" -eq 0 ] && [ "$(grep -c '^v' n.cir)" -eq 5 ]; then
    held
else
    broken "elements of n.cir"
fi

# what is wrong is said once, and nothing is written
refused() { # CODE TEXT ARGUMENTS...
    expected=$1
    text=$2
    shift 2
    run array "$@" -o x.npy --netlist x.cir
    code "$expected"
    no_out
    one_err_line
    err "$text"
    nothing_written x.npy x.cir
}
py "
npy.save('nan.npy', [[1e-4, 1e-4, 1e-4], [1e-4, math.nan, 1e-4]])
npy.save('negative.npy', [[1e-4, 1e-4, -2e-4], [1e-4, 1e-4, 1e-4]])
npy.save('whole.npy', [[1, 2], [3, 4]], 'q')
npy.save('flat.npy', [1e-4, 1e-4])
npy.save('v3.npy', [0.1, 0.1, 0.1])
npy.save('v_nan.npy', [0.1, math.inf])
npy.save('ohms.npy', [[1e4, 2e4]])"
refused 6 "nan.npy: 'conductance' at row 1, column 1 (from 0) is nan" -g nan.npy -w 1,1
refused 6 "at row 0, column 2 (from 0) is -0.0002 siemens, allowed are 0 and 1e-40 to 1e+40" -g negative.npy -w 1,1
refused 3 "of type I64, allowed are float32 and float64" -g whole.npy -w 1,1
refused 3 "the shape of 'flat.npy' is (2,), allowed is (rows, columns)" -g flat.npy -w 1,1
refused 3 "the shape of 'v3.npy' is (3,), allowed are (2,) and (vectors, 2)" -g g.npy --voltage v3.npy -w 1,1
refused 6 "v_nan.npy: 'voltage' of vector 0, row 1 (from 0) is inf volt" -g g.npy --voltage v_nan.npy -w 1,1
refused 1 "cannot open 'none.npy'" -g none.npy -w 1,1
refused 2 "'--wire-ohm' is '2', allowed are two resistances in ohm" -g g.npy -w 2
refused 2 "'--wire-ohm' is '-1,1'" -g g.npy -w -1,1
refused 2 "'--wire-ohm' is '1k,1'" -g g.npy -w 1k,1
refused 2 "'--sense-ohm' is '-3'" -g g.npy -w 1,1 --sense-ohm -3
refused 2 "Give --conductance" -w 1,1
refused 2 "'word_ohm' is 1e+300 ohm" -g g.npy -w 1e300,1
head -c 140 g.npy >short.npy
refused 3 "short.npy" -g short.npy -w 1,1
run array -g g.npy -w 1,1 --drive lft
code 2
err "did you mean 'left'"

# resistances in place of conductances are remarked on
run array -g ohms.npy -w 1,1
code 0
err "is 'ohms.npy' in ohm?"

# a folder that is not there
run array -g g.npy -w 1,1 -o none/x.npy
code 1
one_err_line
err "none/x.npy"

finish
