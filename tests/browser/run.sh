#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Looks at reports in a headless Chromium: the one of the sample run (written by the given program),
# and one of a real run (a small one of Fashion-MNIST, learned by the program, where that data is).
#
#     tests/browser/run.sh PROGRAM [FOLDER]            FOLDER keeps the screenshots
#     tests/browser/run.sh REPORT.html METRICS.json [FOLDER]
#
# CHROMIUM names the browser's program. Exit code 77: no browser, npm or driver to be had here.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 1 ]; then
    sed -n 's/^#  *\(tests.*\)/\1/p' "$0" >&2
    exit 2
fi

skip() {
    echo "skipped: $1" >&2
    exit 77
}

# the browser
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || true)}
[ -n "$CHROMIUM" ] || skip "there is no chromium (Debian: apt-get install chromium)"
export CHROMIUM
for tool in node npm; do
    command -v "$tool" >/dev/null 2>&1 || skip "there is no $tool (Debian: apt-get install npm)"
done

# its driver, as pinned in package-lock.json
(cd "$here" && npm ci --ignore-scripts --no-audit --no-fund --silent) ||
    skip "npm could not install the driver that package-lock.json names"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $1 in
*.html)
    node "$here/render.mjs" "$@"
    ;;
*)
    program=$1
    shots=${2-}
    cp -r "$here/../data/run-sample" "$work/sample"
    "$program" report "$work/sample"
    runs=sample
    if "$program" data list | grep -q '^fashion-mnist.*/'; then
        "$program" learn "$here/real.yaml" --out "$work/real" --quiet
        runs="sample real"
    else
        echo "no Fashion-MNIST here: only the sample run is looked at" >&2
    fi
    for run in $runs; do
        [ -z "$shots" ] || mkdir -p "$shots/$run"
        node "$here/render.mjs" "$work/$run/report.html" "$work/$run/metrics.json" \
            ${shots:+"$shots/$run"}
    done
    ;;
esac
