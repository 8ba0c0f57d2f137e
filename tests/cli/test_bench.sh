#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The documents of `ohmwise bench`. train: each way with its parts, ratios to the dense step, and the
# peak of the memory of each way from a process of its own. inference: the same logits by integers,
# floats and the plain loops. data: what a step waits for the loader. kernels: floors and peaks.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

# what a python expression says of the document d is true
says() {
    if python3 -c "import json,sys; d=json.load(open(sys.argv[1])); w=d['ohmwise'].get('ways'); k=d['ohmwise'].get('kernels'); sys.exit(0 if ($1) else 1)" \
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

# larger images, and a network for them
run bench train --model resnet50 --image-size 72 --expand 0.01 --batch 2 --repeats 1 --rounds 1 \
    --peer none -j 1 --quiet --way dense
code 0
no_err
says "d['ohmwise']['model'] == 'resnet50' and w[0]['step_s'] > 0"
run bench train --image-size 4
code 2
err "image-size"

run bench train --way xts
code 2
no_out
err "did you mean 'xst'"

# where there is nothing to choose from
run bench cost --quiet --way day --peer none
code 2
no_out
err "one way only"

run bench kernels --quiet --way day --peer none
code 2
no_out
err "in turn"

run bench train --quiet --model small --backend nonsense --peer none
no_out
one_err_line
err "nonsense"

# inference: all ways on all backends that have integers, same logits
# shellcheck disable=SC2086
run bench inference $small --quiet
code 0
says "[x['name'] for x in w][:2] == ['float32', '4-bit in floats']"
says "all(x['step_s'] > 0 and x['images_per_s'] > 0 and x['step_spread'] >= 0 for x in w)"
says "len(w) == 2 or (w[2]['name'] == '4-bit in integers' and d['ohmwise']['identical'] and d['ohmwise']['identical_to_reference'] and d['ohmwise']['prepare_s'] > 0)"
says "len(d['ohmwise']['machine']['cpu']) > 0 and d['ohmwise']['machine']['threads'] == 1"

# shellcheck disable=SC2086
run bench inference $small --quiet --backend reference
code 0
says "[x['name'] for x in w] == ['float32', '4-bit in floats'] and 'identical' not in d['ohmwise']"

# shellcheck disable=SC2086
run bench inference $small --quiet --backend reference --way "4-bit in integers"
code 5
one_err_line
err "has no integer products"

# shellcheck disable=SC2086
run bench data $small --quiet
code 0
says "[x['name'] for x in w] == ['loader alone', 'xst 4-bit step'] and 0 <= d['ohmwise']['wait_share'] < 1"

# kernels: one entry a product, shape and backend; nothing is faster than its floor by far
run bench kernels --model small --expand 0.25 --batch 4 --repeats 3 -j 1 --quiet
code 0
says "k and {x['product'] for x in k} >= {'forward', 'backward_data', 'backward_weight'}"
says "all(x['min_s'] <= x['median_s'] and x['floor_s'] > 0 and x['gap'] > 0.2 and x['flops'] > 0 and x['bytes'] > 0 for x in k)"
says "d['ohmwise']['peaks']['float_flops_per_thread'] > 1e9 and d['ohmwise']['peaks']['read_bytes_per_s'] > 1e8"
says "k[0]['shape'] == [3, 8, 32, 32, 3, 3, 1, 1] and abs(k[0]['flops'] / (2 * 4 * 3 * 8 * 94 * 94) - 1) < 1e-5"

run bench kernels --model small --expand 0.25 --batch 2 --repeats 1 -j 1 --quiet --backend reference,reference
code 0
says "[x['backend'] for x in k][:2] == ['reference', 'reference']"

run bench kernels --model small --quiet --backend reference,abacus
one_err_line
err "'abacus'"

# parts: the same step whole and cut; several processes are in test_parallel.sh
# shellcheck disable=SC2086
run bench parts $small --quiet -j 2
code 0
says "[x['name'] for x in w] == ['1 thread', '2 threads', '2 parts'] and d['ohmwise']['processes'] == 1"
says "all(x['step_s'] > 0 and x['cpu_s'] > 0 and x['times_faster'] > 0 for x in w) and w[0]['times_cpu'] == 1"

# training on crossbars beside learn
run bench insitu --model small --expand 0.25 --batch 4 --repeats 3 -j 1 -q
code 0
says "[x['name'] for x in w] == ['learn', 'insitu', 'plain']"
says "w[0]['part_of_learn'] == 1 and all(x['part_of_learn'] > 0 and x['step_s'] > 0 for x in w)"
run bench insitu --model small --way learn -q
code 2

finish
