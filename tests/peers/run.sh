#!/usr/bin/env bash
# Fetches the other programs and runs the comparisons.
#   tests/peers/run.sh PROGRAM        (build/release/tern)
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
tern=$(realpath "$1")
peers=$root/build/peers
mkdir -p "$peers"
cp "$here/package.json" "$here"/*.mjs "$peers"
cd "$peers"
# Without the optional packages, prebuilt for GPUs and other systems, of which
# the one for this processor is then named.
case $(uname -m) in
  x86_64) cpu=x64 ;;
  aarch64) cpu=arm64 ;;
  *) echo "$0: no prebuilt llama.cpp for $(uname -m)" >&2; exit 1 ;;
esac
version=$(node -p 'require("./package.json").dependencies["node-llama-cpp"]')
npm install --ignore-scripts --omit=optional --no-audit --no-fund \
  --no-package-lock --loglevel=error
npm install --no-save --ignore-scripts --omit=optional --no-audit --no-fund \
  --no-package-lock --loglevel=error "@node-llama-cpp/linux-$cpu@$version"

golden=$root/tests/golden
models=("$root/models/books-79m.gguf" "$golden/z1-bitnet-2b4t-packed"
  "$golden/zb-bitnet-256.i2_s.gguf" "$golden/zl-llama-256.gguf")
llamas=("$golden/zl-llama-256.gguf")
if [ -n "${TERN_REFERENCE_DIR:-}" ]; then
  reference=$TERN_REFERENCE_DIR
  models+=("$reference"/models/books-*m-* "$reference"/models/zoo/z*
    "$reference/gguf/zb-bitnet-256" "$reference/gguf/zl-llama-256")
  llamas+=("$reference/gguf/zl-llama-256.tq2_0.gguf")
fi
node headers.mjs "$tern" "${models[@]}"
node logits.mjs "$tern" "${llamas[@]}"
node openai.mjs "$tern"
node load.mjs "$tern" 30
node page.mjs "$tern" "$peers"
node replicas.mjs "$tern" "$root/cli/serve/deploy/nginx.conf" "$peers"
