#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes docs/config.md and docs/hardware.md from the program's tables of keys, or with --check says
# whether they are current.
#   tools/make_config_docs.sh OHMWISE [--check]
set -eu

program=$1
mode=${2:-}
docs=$(dirname "$0")/../docs
new=$(mktemp)
trap 'rm -f "$new"' EXIT

# make FILE SOURCE [options of explain]
make() {
    file=$docs/$1
    source=$2
    shift 2
    # REUSE-IgnoreStart
    {
        echo "<!-- SPDX-License-Identifier: Apache-2.0 -->"
        echo "<!-- made by tools/make_config_docs.sh; change $source instead -->"
        "$program" explain "$@" --format md
    } >"$new"
    # REUSE-IgnoreEnd
    if [ "$mode" = --check ]; then
        diff -u "$file" "$new" || {
            echo "$file is not current: run tools/make_config_docs.sh $program" >&2
            exit 1
        }
    else
        cat "$new" >"$file"
    fi
}

make config.md src/config/fields.c
make hardware.md src/hardware/keys.c --hardware
