#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes docs/config.md from the program's table of keys, or with --check says whether it is current.
#   tools/make_config_docs.sh OHMWISE [--check]
set -eu

file=$(dirname "$0")/../docs/config.md
new=$(mktemp)
trap 'rm -f "$new"' EXIT
# REUSE-IgnoreStart
{
    echo "<!-- SPDX-License-Identifier: Apache-2.0 -->"
    echo "<!-- made by tools/make_config_docs.sh; change src/config/fields.c instead -->"
    "$1" explain --format md
} >"$new"
# REUSE-IgnoreEnd
if [ "${2:-}" = --check ]; then
    diff -u "$file" "$new" || {
        echo "docs/config.md is not current: run tools/make_config_docs.sh $1" >&2
        exit 1
    }
else
    cat "$new" >"$file"
fi
