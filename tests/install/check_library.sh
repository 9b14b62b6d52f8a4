#!/usr/bin/env bash
# What an installed libtern.so shows and asks for, and whether tern.h explains
# all that it declares.
#   check_library.sh PREFIX
set -euo pipefail
prefix=$1
library=$(find "$prefix" -name libtern.so)
archive=$(find "$prefix" -name libtern.a)
header=$prefix/include/tern.h

fail() {
  echo "$*" >&2
  exit 1
}
macro() { sed -nE "s/^#define TERN_VERSION_$1 //p" "$header"; }
version=$(macro MAJOR).$(macro MINOR)

# --- its name -----------------------------------------------------------
soname=$(readelf -d "$library" | sed -nE 's/.*SONAME.*\[(.*)\]/\1/p')
[ "$soname" = "libtern.so.$version" ] ||
  fail "the soname is $soname, but tern.h says $version"
[ -e "$(dirname "$library")/$soname" ] || fail "there is no $soname"
if readelf -d "$library" | grep -E 'RPATH|RUNPATH|TEXTREL'; then
  fail "libtern.so carries a path of its build, or text that is relocated"
fi

# --- what it shows ------------------------------------------------------
exported=$(nm -D --defined-only "$library" | awk '{ print $NF }' | sort -u)
names=$(c++filt <<<"$exported")
others=$(grep -vE '^tern_[a-z_]+$|^(typeinfo (name )?for |vtable for )?tern::' \
  <<<"$names" || true)
[ -z "$others" ] || fail "libtern.so shows what is not tern's: $others"
# Of classes, those that a public header declares TERN_API.
public=$(sed -nE 's/^class TERN_API (\w+).*/\1/p' "$prefix"/include/tern/*.h)
for class in $(sed -nE \
  's/^(typeinfo (name )?for |vtable for )?tern::(\w+)(::.*)?$/\3/p' \
  <<<"$names" | sort -u); do
  if grep -qE "tern::$class(::|$)" <<<"$names"; then
    grep -qx "$class" <<<"$public" ||
      fail "libtern.so shows tern::$class, which no public header has"
  fi
done
# Of C, what tern.h declares, all of it and nothing else.
declared=$(tr '\n' ' ' <"$header" | grep -oE 'TERN_API [^;]*;' |
  sed -nE 's/.*[ *](tern_[a-z_]+)\(.*/\1/p' | sort -u)
difference=$(diff <(echo "$declared") \
  <(grep -E '^tern_' <<<"$exported") || true)
[ -z "$difference" ] || fail "tern.h and libtern.so differ: $difference"

# --- what it asks for ---------------------------------------------------
# No environment, no output, no signals, no end of the process, no settings of
# it, nothing that runs when it is loaded or unloaded.
forbidden='(secure_)?getenv|(set|put|unset|clear)env|_?_?environ'
forbidden+='|(__)?(v|f|vf|d|vd)?printf(_chk)?|f?puts|f?putc|putchar|perror|fwrite'
forbidden+='|std(in|out|err)|std::(w?c(in|out|err|log))|v?syslog'
forbidden+='|abort|_?_?exit|quick_exit|__assert_fail'
forbidden+='|signal|sigaction|__sysv_signal|raise|kill|alarm|setitimer'
forbidden+='|setlocale|std::locale::global.*|fe(set|update|hold).*|chdir|umask'
forbidden+='|set(r|p)limit|prctl|dlopen|dlsym|atexit|at_quick_exit|pthread_atfork'
for file in "$library" "$archive"; do
  asked=$(nm --undefined-only $([ "$file" = "$archive" ] || echo -D) "$file" |
    awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }' | sort -u | c++filt)
  found=$(grep -xE "$forbidden" <<<"$asked" || true)
  [ -z "$found" ] || fail "$file: asks for what a library leaves alone: $found"
done
# The one entry is the compiler's own; every global that is constructed would
# add another.
entries=$(readelf -SW "$library" |
  awk '{ gsub(/^ *\[ *[0-9]+\] */, "") } $1 == ".init_array" { print $5 }')
[ "$((16#$entries))" -eq 8 ] ||
  fail "libtern.so constructs globals when it is loaded"

# --- what explains it ---------------------------------------------------
# A function has a comment right before it, or follows, without a blank line,
# one that has (tern_x_free: the header's part about ownership).
unexplained=$(awk '
  /\/\*/ { explained = 1 }
  /^$/   { explained = 0 }
  /^(TERN_API|typedef|enum) / && !explained { print FNR ": " $0 }' "$header" |
  grep -v 'typedef struct tern_[a-z_]* tern_' || true)
[ -z "$unexplained" ] || fail "tern.h does not explain: $unexplained"
echo "libtern.so: $soname, $(wc -l <<<"$exported") symbols, all tern's" \
  "($(wc -l <<<"$declared") of C)"
