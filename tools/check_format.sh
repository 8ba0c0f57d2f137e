#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Says which C files clang-format would change; exit code 1 when there are any.
#   tools/check_format.sh [--fix]
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" = --fix ]; then
    git ls-files -z '*.c' '*.h' ':!third_party' | xargs -0 -r clang-format -i
else
    git ls-files -z '*.c' '*.h' ':!third_party' | xargs -0 -r clang-format --dry-run --Werror
fi
