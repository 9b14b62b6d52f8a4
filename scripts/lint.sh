#!/usr/bin/env bash
# clang-format and clang-tidy over our sources; nothing is changed.
#   scripts/lint.sh BUILD_FOLDER   (configured: it holds compile_commands.json)
set -euo pipefail
cd "$(dirname "$0")/.."
build="${1:?usage: scripts/lint.sh BUILD_FOLDER}"

find bench cli packing runtime ternary_kernels tests -name '*.cc' -o -name '*.h' |
  xargs clang-format-14 --dry-run -Werror
echo "clang-format: clean"

# Headers are seen through the files that include them.  Tests and benchmarks
# are made of their frameworks' macros, which the checks were not written for.
find packing runtime cli -name '*.cc' |
  xargs -P2 -n4 clang-tidy-14 -p "$build" --quiet
# All targets share their source: one of them is looked at (6 s a file instead
# of minutes).
arch=()
[ "$(uname -m)" != x86_64 ] || arch=(--extra-arg=-march=haswell)
find ternary_kernels -name '*.cc' |
  xargs -P2 -n4 clang-tidy-14 -p "$build" --quiet \
    --extra-arg=-DHWY_COMPILE_ONLY_STATIC "${arch[@]}"
echo "clang-tidy: clean"
