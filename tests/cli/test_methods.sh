#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Methods from outside: a backbone and what begins with it, methods that prune in rounds; runs of them
# that are killed and go on; what is refused, and what says that it is a reconstruction.
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

python3 "$(dirname "$0")/tiny_set.py" "$work/set" 160
cat >"$work/tiny.yaml" <<EOF
seed: 3
threads: 1
data: {set: $work/set, split: classes, classes_per_task: 2, flip: false, pad: 1}
network: {model: small, expand: 1}
train: {epochs: 10, batch: 16, lr: 0.05, mask_lr: 0.002}
run: {checkpoint: 0.1}
EOF

# what a run's metrics.json says of all its tasks
tasks_say() {
    python3 -c "import json, sys
for task in json.load(open(sys.argv[1]))['tasks']: print(task[sys.argv[2]])" \
        "$work/$1/metrics.json" "$2" | tr '\n' ' '
}

expect() {
    if [ "$1" = "$2" ]; then held; else broken "'$1' instead of '$2'"; fi
}

# the file of a run has a text
says() {
    if grep -q "$2" "$work/$1"; then held; else broken "'$1' does not say '$2'"; fi
}

run learn "$work/tiny.yaml" method=dense data.tasks=1 --out "$work/backbone" -q
code 0

# methods on a backbone: no forgetting, mask bytes as the units have levels, no weights beside but
# where they are copied
for method in finetune piggyback xbm xma xma2; do
    run learn "$work/tiny.yaml" "method=$method" "method.backbone=$work/backbone" \
        --out "$work/$method" -q
    code 0
    out "forgetting 0.0000 points"
    says "$method/metrics.json" '"logits_identical": true'
    says "$method/manifest.json" backbone_sha256
    run eval "$work/$method" --task 1 --on integer
    code 0
done
# 16016 weights in 272 columns
expect "$(tasks_say piggyback mask_bytes)" "2002 2002 "
expect "$(tasks_say xbm mask_bytes)" "34 34 "
expect "$(tasks_say xma mask_bytes)" "68 68 "
expect "$(tasks_say finetune mask_bytes)" "0 0 "
expect "$(tasks_say finetune weight_bytes)" "8008 8008 "
expect "$(tasks_say xbm weights_new)" "0 0 "
for method in xma xma2; do
    says "$method/metrics.json" '"reconstruction": "'
    says "$method/report.html" "A reconstruction of $method"
done
says xbm/metrics.json '"reconstruction": null'
run explain method
code 0
out "xma2"
out "a reconstruction"

# the backbone is not needed once a run has begun
mv "$work/backbone" "$work/away"
run eval "$work/xma" --on integer
code 0
run learn "$work/tiny.yaml" method=xma "method.backbone=$work/backbone" --out "$work/xma" -q
code 0
run learn "$work/tiny.yaml" method=xma "method.backbone=$work/backbone" --out "$work/new" -q
code 1
one_err_line
err "$work/backbone/config.yaml"
if [ -e "$work/new/config.yaml" ]; then broken "a run was left half-made"; else held; fi
mv "$work/away" "$work/backbone"

# what is refused
run learn "$work/tiny.yaml" method=xbm --out "$work/new"
code 2
one_err_line
err "names no run"
run learn "$work/tiny.yaml" method=packnet method.start=backbone \
    "method.backbone=$work/backbone" --out "$work/new"
code 2
one_err_line
err "no free unit"
run learn "$work/tiny.yaml" method=xbm "method.backbone=$work/backbone" network.expand=2 \
    --out "$work/new"
code 2
one_err_line
err "of the backbone"

# kill -9 inside of rounds, phases and copies: the end is that of a run that was never stopped
for method in cpg xma2; do
    more=method.prune_interval=2
    if [ "$method" = xma2 ]; then more=method.backbone=$work/backbone; fi
    run learn "$work/tiny.yaml" "method=$method" "$more" train.epochs=60 --out "$work/$method-whole" -q
    code 0
    last="learn with $method, killed 12 times"
    if python3 "$(dirname "$0")/kill_often.py" 12 "$work/$method-whole" "$work/$method-killed" \
        "$bin" learn "$work/tiny.yaml" "method=$method" "$more" train.epochs=60 \
        --out "$work/$method-killed" -q >"$work/out" 2>"$work/err"; then
        held
    else
        broken "it is not as if nothing had been"
    fi
    cat "$work/out"
done

# CPG's rounds are counted
first=$(tasks_say cpg-whole epochs | cut -d' ' -f1)
if [ "$first" -gt 60 ]; then held; else broken "$first epochs, no rounds among them"; fi

finish
