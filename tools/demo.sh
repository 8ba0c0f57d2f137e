#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The demo: learns the tasks of a data set one after another and says where the report is.
#   tools/demo.sh OHMWISE fashion-mnist|cifar100
# A demo that was stopped goes on where it was.
set -eu

ohmwise=$1
data=$2
run=runs/demo-$data

case "$data" in
fashion-mnist) ;;
cifar100)
    if ! "$ohmwise" data verify cifar100 >/dev/null 2>&1; then
        if [ -d ../shared/data/cifar100 ]; then
            "$ohmwise" data add cifar100 ../shared/data/cifar100
        else
            "$ohmwise" data get cifar100
        fi
    fi
    ;;
*)
    echo "tools/demo.sh: no demo for '$data', there is one for fashion-mnist and for cifar100" >&2
    exit 2
    ;;
esac

mkdir -p runs
"$ohmwise" learn "presets/learn/$data-xst.yaml" --out "$run"
echo "the page with all results: $(pwd)/$run/report.html"
