#!/bin/sh
# Cross-builds packing, the ternary kernels and their tests for 64-bit Arm and
# runs them under qemu.  Installs nothing: says what is missing.
#   tests/ternary_kernels/run_neon.sh [BUILD_FOLDER]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$root/build/neon}

missing=
need() {  # need FILE_OR_COMMAND PACKAGE
  if ! [ -e "$1" ] && ! command -v "$1" >/dev/null; then
    missing="$missing $2"
  fi
}
need aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
need qemu-aarch64 qemu-user
need ninja ninja-build
need /usr/lib/aarch64-linux-gnu/pkgconfig/libhwy.pc libhwy-dev:arm64
need /usr/lib/aarch64-linux-gnu/cmake/GTest libgtest-dev:arm64
if [ -n "$missing" ]; then
  echo "run_neon.sh: missing:$missing" >&2
  echo "  dpkg --add-architecture arm64 && apt-get update &&" >&2
  echo "  apt-get install --no-install-recommends$missing" >&2
  exit 1
fi

cmake -S "$root" -B "$build" -G Ninja \
  -DCMAKE_TOOLCHAIN_FILE="$root/cmake/aarch64-linux-gnu.cmake" \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_COMPILE_WARNING_AS_ERROR=ON \
  -DTERN_KERNELS_ONLY=ON -DTERN_BUILD_TESTS=ON
cmake --build "$build" -j "${JOBS:-2}"
ctest --test-dir "$build" --output-on-failure --no-tests=error
