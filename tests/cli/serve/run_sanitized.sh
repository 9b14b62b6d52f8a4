#!/usr/bin/env bash
# The server's tests, and those of what it stands on (scheduler, embeddings,
# states of sessions, teams of threads), under ThreadSanitizer and under
# AddressSanitizer + UBSan:
#
#   tests/cli/serve/run_sanitized.sh [tsan] [asan]      (both)
#
# Builds in build/tsan and build/asan what they need, nothing else; needs the
# packages of purpose "clang".  A report of the server fails the test that runs
# it (server_process.cc).  The status is not 0 if anything failed.
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 1
tests=(serve_parts_test serve_test serve_errors_test serve_transport_test
  serve_abuse_test scheduler_test scheduler_limits_test embedding_test
  session_state_test parallel_test)
pattern=$(IFS='|' && echo "^(${tests[*]})$")
status=0
[ $# -gt 0 ] || set -- tsan asan
for preset in "$@"; do
  cmake --preset "$preset" >/dev/null &&
    cmake --build "build/$preset" --target "${tests[@]}" &&
    ctest --preset "$preset" --no-tests=error -R "$pattern" || status=1
done
exit $status
