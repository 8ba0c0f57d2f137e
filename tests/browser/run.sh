#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the report of the sample run with the given program and looks at it in a browser.
#
#     tests/browser/run.sh PROGRAM [FOLDER]            FOLDER keeps the screenshots
#     tests/browser/run.sh REPORT.html METRICS.json [FOLDER]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 1 ]; then
    sed -n 's/^#  *//p' "$0" | tail -2 >&2
    exit 2
fi

# the browser's driver, as pinned in package-lock.json
(cd "$here" && npm ci --ignore-scripts --no-audit --no-fund --silent)

case $1 in
*.html)
    node "$here/render.mjs" "$@"
    ;;
*)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cp -r "$here/../data/run-sample" "$work/run"
    "$1" report "$work/run"
    node "$here/render.mjs" "$work/run/report.html" "$work/run/metrics.json" ${2+"$2"}
    ;;
esac
