#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what building and testing need, on Debian: only packages that are missing, with sudo
# when not root. Elsewhere it says what is needed.
#   tools/bootstrap.sh          to build, test and run the demo
#   tools/bootstrap.sh --mpi    also for work by several processes (docs/parallel.md)
#   tools/bootstrap.sh --ci     also for the checks of .ci/run, MPI among them
#   tools/bootstrap.sh --list   only print the names
# A machine where nothing can be installed is not stopped here: what is missing is said, and the
# build says what it cannot do without.
set -eu

packages="build-essential cmake ninja-build pkg-config python3 libyaml-dev libjansson-dev
libarchive-dev zlib1g-dev libturbojpeg0-dev libspng-dev libcurl4-openssl-dev libdnnl-dev
libprotobuf-c-dev protobuf-c-compiler libcmocka-dev dataset-fashion-mnist ca-certificates"
mpi_packages="libopenmpi-dev openmpi-bin"
ci_packages="clang clang-format reuse shellcheck git ngspice"

case "${1:-}" in
--mpi) packages="$packages $mpi_packages" ;;
--ci) packages="$packages $mpi_packages $ci_packages" ;;
--list)
    # shellcheck disable=SC2086 # one name a line
    printf '%s\n' $packages $mpi_packages $ci_packages
    exit 0
    ;;
'') ;;
*)
    echo "tools/bootstrap.sh: unknown option '$1', allowed are --mpi, --ci and --list" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "tools/bootstrap.sh: no dpkg here; these Debian packages are needed, under other names:" >&2
    # shellcheck disable=SC2086 # one blank between the names
    echo $packages >&2
    exit 0
fi

missing=""
for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "tools/bootstrap.sh: missing$missing (install them, or run as root)" >&2
        exit 0
    fi
    as_root=sudo
fi
echo "installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # names are split on purpose
$as_root apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 || {
    $as_root apt-get update
    $as_root apt-get install -y --no-install-recommends $missing
} || echo "tools/bootstrap.sh: could not install all of$missing" >&2
