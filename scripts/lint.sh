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
units=$(scripts/lint_units.py "$build" packing runtime cli)
# One at a time, the largest first: no core waits for the other at the end.
xargs -P2 -n1 clang-tidy-14 -p "$build/lint" --quiet <<<"$units"
# These two look only at the file itself, never at what it includes.
find packing runtime cli -name '*.cc' -exec grep -lE \
  '^[[:space:]]*(using [A-Za-z_:]+::|namespace [A-Za-z_]+ =)' {} + |
  xargs -P2 -n4 clang-tidy-14 -p "$build" --quiet \
    --checks='-*,misc-unused-using-decls,misc-unused-alias-decls'
# All targets share their source: one of them is looked at (6 s a file instead
# of minutes).
arch=()
[ "$(uname -m)" != x86_64 ] || arch=(--extra-arg=-march=haswell)
find ternary_kernels -name '*.cc' |
  xargs -P2 -n4 clang-tidy-14 -p "$build" --quiet \
    --extra-arg=-DHWY_COMPILE_ONLY_STATIC "${arch[@]}"
echo "clang-tidy: clean"
