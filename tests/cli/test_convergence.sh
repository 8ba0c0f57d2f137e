#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The fast kernels learn as well as plain float32 products do: five two-class tasks of
# Fashion-MNIST by the best backend and by oneDNN's direct float32 convolutions; mean accuracies
# within half a point. Rounding differs in last bits only, but training
# blows such differences up, so that equal numbers cannot be asked for.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

# what cannot be tried here is said
run data list
code 0
if ! awk '$1 == "fashion-mnist" && $NF != "-" { found = 1 } END { exit !found }' "$work/out"; then
    echo "not tried: Fashion-MNIST is not on this machine"
    finish
    exit
fi
run doctor --json
code 0
if ! python3 -c "
import json, sys
rows = {k['name']: k for k in json.load(open(sys.argv[1]))['kernels']}
sys.exit(0 if rows.get('onednn', {}).get('supported') and not rows['onednn']['chosen'] else 1)" "$work/out"; then
    echo "not tried: there is no second float32 backend to compare with"
    finish
    exit
fi

for backend in auto onednn; do
    run learn "$source_folder/presets/learn/fashion-mnist-xst.yaml" --out "$work/$backend" --quiet \
        network.model=small network.expand=1 "backend=$backend" \
        quantise.weight_bits=0 quantise.activation_bits=0
    code 0
done
if python3 -c "
import json, sys
a, b = (json.load(open(f'$work/{name}/metrics.json'))['mean_accuracy'] for name in ('auto', 'onednn'))
print(f'{100 * a:.2f} % and {100 * b:.2f} %')
sys.exit(0 if abs(a - b) <= 0.005 and min(a, b) > 0.9 else 1)"; then
    held
else
    broken "mean accuracies differ by more than half a point, or are low"
fi
finish
