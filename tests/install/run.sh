#!/usr/bin/env bash
# Installs a build, moves it, and builds and runs programs that have nothing of
# tern but what was installed: C++ and C, by CMake and by pkg-config, with
# libtern.so and with libtern.a, and the example of README.md.
#   run.sh BUILD_FOLDER CXX_COMPILER
set -euo pipefail
build=$1
cxx=$2
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset CPATH CPLUS_INCLUDE_PATH C_INCLUDE_PATH LIBRARY_PATH LD_LIBRARY_PATH
unset CMAKE_PREFIX_PATH tern_DIR TERN_MODEL DESTDIR

cmake --install "$build" --prefix "$work/made" >"$work/log"
prefix=$work/moved
mv "$work/made" "$prefix"
library=$(find "$prefix" -name libtern.so)
libdir=$(dirname "$library")
export PKG_CONFIG_PATH=$libdir/pkgconfig
strict="-Wall -Wextra -Werror -pedantic"

fail() {
  echo "$*" >&2
  exit 1
}

prompt="Once upon a time there was a king who"
model=$prefix/share/tern/books-79m.gguf
want=$("$prefix/bin/tern" run --temp 0 -n 24 --no-echo -p "$prompt" 2>/dev/null)
[ -n "$want" ] || fail "tern run of the installed program says nothing"

# Is the text of this program that of tern run, with nothing else said?  In an
# empty environment.
expect_text() { # NAME PROGRAM [VARIABLE=VALUE]
  local name=$1 program=$2 got
  got=$(env -i "${@:3}" "$program" "$model" "$prompt" 2>"$work/errors") ||
    fail "$name: status $?: $(cat "$work/errors")"
  [ ! -s "$work/errors" ] || fail "$name: stderr: $(cat "$work/errors")"
  [ "$got" = "$want" ] || fail "$name says '$got', but tern run '$want'"
  if env -i "${@:3}" "$program" /nowhere.gguf x >"$work/out" 2>"$work/errors"; then
    fail "$name: a file that is not there gives status 0"
  fi
  [ "$(cat "$work/errors")" = "$("$prefix/bin/tern" run -m /nowhere.gguf -p x \
    2>&1 >/dev/null | sed 's/^tern: //')" ] ||
    fail "$name: another error than tern run's: $(cat "$work/errors")"
  echo "$name: as tern run"
}

# Headers and libraries from the prefix alone.
by_cmake() { # NAME FOLDER OPTION...
  local name=$1 at=$work/$1
  cmake -S "$here/$2" -B "$at" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$cxx" \
    -DCMAKE_C_FLAGS="$strict" -DCMAKE_CXX_FLAGS="$strict" \
    -DCMAKE_EXPORT_NO_PACKAGE_REGISTRY=ON "${@:3}" >"$work/log" 2>&1 &&
    cmake --build "$at" -v >>"$work/log" 2>&1 || fail "$name: $(cat "$work/log")"
  if grep -qE -- "(-I|-isystem|-L) ?$source/(runtime|packing)|$build" "$work/log"; then
    fail "$name: uses the tree that was installed from: $(cat "$work/log")"
  fi
  expect_text "$name" "$at/tell"
}

by_pkg_config() { # NAME COMPILER SOURCE shared|static
  local name=$1 at=$work/$1 flags libs
  flags="$strict $(pkg-config --cflags tern)"
  if [ "$4" = static ]; then
    libs=$(pkg-config --static --libs tern)
    libs=${libs/-ltern/-l:libtern.a}
  else
    libs=$(pkg-config --libs tern)
  fi
  # shellcheck disable=SC2086
  $2 $flags "$3" -o "$at" $libs || fail "$name: does not build"
  if [ "$4" = static ]; then
    expect_text "$name" "$at"
    ! ldd "$at" | grep libtern || fail "$name: wants libtern.so"
  else
    expect_text "$name" "$at" LD_LIBRARY_PATH="$libdir"
  fi
}

by_cmake cmake-cpp-shared cpp -DTERN_LIBRARY=shared
by_cmake cmake-cpp-static cpp -DTERN_LIBRARY=static
by_cmake cmake-c-shared c
for kind in shared static; do
  by_pkg_config "pkg-config-cpp-$kind" "$cxx -std=c++20" "$here/cpp/tell.cc" $kind
  by_pkg_config "pkg-config-c-$kind" "cc -std=c99" "$here/c/tell.c" $kind
done

# A library of a kind that does not exist is refused.
if cmake -S "$here/cpp" -B "$work/other" -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_PREFIX_PATH="$prefix" -DTERN_LIBRARY=neither >"$work/log" 2>&1; then
  fail "find_package finds a component that does not exist"
fi

# The example of README.md, as it stands there.
awk '/^```cpp$/ { inside = 1; next } /^```$/ { inside = 0 } inside' \
  "$source/README.md" >"$work/readme.cc"
grep -q 'int main' "$work/readme.cc" || fail "README.md has no example"
# shellcheck disable=SC2046,SC2086
$cxx -std=c++20 $strict $(pkg-config --cflags tern) "$work/readme.cc" \
  -o "$work/readme" $(pkg-config --libs tern) -Wl,-rpath,"$libdir"
want=$("$prefix/bin/tern" run -p "Once upon a time" -n 100 -c 512 --no-echo \
  --temp 0.7 --top-p 0.9 --seed 42 2>/dev/null)
got=$(cd "$source" && "$work/readme")
[ "$(echo $got)" = "$(echo $want)" ] ||
  fail "README.md's example says '$got', but tern run '$want'"
echo "README.md's example: as tern run"

# Each header alone.
for header in "$prefix"/include/tern/*.h; do
  $cxx -std=c++20 $strict -fsyntax-only -I "$prefix/include" -x c++ \
    -include "$header" /dev/null || fail "$header does not stand alone"
done
for c in "cc -std=c99 -x c" "cc -std=c17 -x c" "$cxx -std=c++11 -x c++"; do
  $c $strict -fsyntax-only -I "$prefix/include" \
    -include "$prefix/include/tern.h" /dev/null || fail "tern.h: not for $c"
done
echo "headers: each stands alone, tern.h in C99 and C++11"

"$here/check_library.sh" "$prefix"
