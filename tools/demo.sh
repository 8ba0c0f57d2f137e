#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The demo: learns the tasks of a data set one after another and says where the report is.
#   tools/demo.sh OHMWISE fashion-mnist|cifar100
# A demo that was stopped goes on where it was. A set that is not there yet is taken from a folder
# shared/data beside the checkout, where there is one, else downloaded.
set -eu

ohmwise=$1
data=$2
run=runs/demo-$data
beside=../shared/data/$data

# 5 epochs a task where the paper has 100, and what goes with so few: a schedule that ends at 0 and
# more turns of drop and grow. The published length is the preset as it is.
case "$data" in
fashion-mnist) changes="" ;;
cifar100) changes="train.epochs=5 train.schedule=cosine train.lr=0.03 method.grow_interval=25" ;;
*)
    echo "tools/demo.sh: no demo for '$data', there is one for fashion-mnist and for cifar100" >&2
    exit 2
    ;;
esac

if ! "$ohmwise" data verify "$data" >/dev/null 2>&1; then
    if [ -d "$beside" ]; then
        "$ohmwise" data add "$data" "$beside"
    else
        "$ohmwise" data get "$data"
    fi
fi

mkdir -p runs
# shellcheck disable=SC2086 # one word a key
"$ohmwise" learn "presets/learn/$data-xst.yaml" $changes --out "$run"
echo "the page with all results: $(pwd)/$run/report.html"
