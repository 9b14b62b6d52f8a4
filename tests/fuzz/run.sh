#!/usr/bin/env bash
# Fuzzes with what `cmake --preset asan && cmake --build --preset fuzz` made:
#
#   tests/fuzz/run.sh [TARGET...]        (all of them, each for FUZZ_SECONDS)
#
# New inputs go to FUZZ_CORPUS/TARGET (build/fuzz/corpus), which later runs
# start from, findings to FUZZ_FINDINGS/TARGET-* (build/fuzz/findings).  The
# last lines are a table; the status is 1 if something was found.
set -uo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$here/../.."
build="$root/build/asan"
seconds="${FUZZ_SECONDS:-60}"
corpus="${FUZZ_CORPUS:-$root/build/fuzz/corpus}"
findings="${FUZZ_FINDINGS:-$root/build/fuzz/findings}"

dictionary() {
  case $1 in
    gguf | tokenizer_gguf | verify) echo gguf.dict ;;
    hf_config | hugging_face | safetensors | tokenizer_json | tokenizer_model | \
      json_schema | serve_requests)
      echo json.dict ;;
    jinja) echo jinja.dict ;;
  esac
}

# Files of the targets lie in memory.
TMPDIR=$(mktemp -d -p "$([ -d /dev/shm ] && echo /dev/shm || echo /tmp)")
log="$TMPDIR/log"
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
mkdir -p "$findings"
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive

[ $# -gt 0 ] || set -- $(ls "$here/corpus")
found=0
table=$(printf '%-16s %10s %8s %8s %9s' target runs edges features findings)
for target in "$@"; do
  mkdir -p "$corpus/$target"
  arguments=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=1536
    -malloc_limit_mb=256 -max_len=20000 -print_final_stats=1
    -artifact_prefix="$findings/$target-")
  words=$(dictionary "$target")
  [ -z "$words" ] || arguments+=(-dict="$here/$words")
  echo "=== $target"
  "$build/tests/fuzz/${target}_fuzz" "${arguments[@]}" "$corpus/$target" \
    "$here/corpus/$target" $(ls -d "$here/regressions/$target" 2>/dev/null) \
    >"$log" 2>&1
  status=$?
  # The last "#1234 ... cov: 567 ft: 890" of the run.
  read -r edges features < <(sed -nE \
    's/^#[0-9]+.* cov: ([0-9]+) ft: ([0-9]+).*/\1 \2/p' "$log" | tail -1)
  runs=$(sed -nE 's/^stat::number_of_executed_units: //p' "$log")
  if [ $status -ne 0 ]; then
    found=1
    tail -60 "$log"
  fi
  table+=$'\n'$(printf '%-16s %10s %8s %8s %9s' "$target" "${runs:-?}" \
    "${edges:-?}" "${features:-?}" "$([ $status -eq 0 ] && echo 0 || echo 1)")
done
echo "$table"
exit $found
