#!/usr/bin/env bash
# Says which tests were not built because TERN_REFERENCE_DIR is not set: those
# that the CMakeLists.txt files add inside `if(TERN_REFERENCE_DIR)`.
set -euo pipefail
cd "$(dirname "$0")/.."

left_out=$(find tests -name CMakeLists.txt | sort | xargs awk '
  /^[ \t]*if\(TERN_REFERENCE_DIR\)/ { inside = 1 }
  /^[ \t]*endif\(/                  { inside = 0 }
  inside && match($0, /tern_add_[a-z_]*test\([a-z0-9_]+/) {
    name = substr($0, RSTART, RLENGTH); sub(/.*\(/, "", name); print "  " name
  }')
if [ -n "${TERN_REFERENCE_DIR:-}" ]; then
  echo "reference tests: built with TERN_REFERENCE_DIR=$TERN_REFERENCE_DIR"
elif [ -n "$left_out" ]; then
  echo "left out, because TERN_REFERENCE_DIR is not set:"
  echo "$left_out"
else
  echo "no test was left out"
fi
