#!/usr/bin/env bash
# The part of check_package.sh that runs in the bare Debian.
set -euo pipefail
cd /packages

fail() {
  echo "$*" >&2
  exit 1
}
# Files of the system, but for what apt and dpkg note down.
files() {
  find / -xdev \( -path /proc -o -path /packages -o -path /var/lib/apt \
    -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o -path /tmp \
    \) -prune -o -print | sort
}
install() {
  apt-get install -y -qq --no-install-recommends "$@" >/tmp/apt.log 2>&1 ||
    fail "apt-get install $*: $(cat /tmp/apt.log)"
}
apt-get update -qq
files >/tmp/before

echo "--- the program, with nothing but what it depends on"
install ./tern_*.deb
[ "$(tern run --temp 0 -n 24 --no-echo \
  -p "Once upon a time there was a king who" 2>/tmp/errors)" = "$(cat want)" ] ||
  fail "tern run says another text than before it was packed: $(cat /tmp/errors)"
grep -q '^.SH TERN SERVE' <<<"$(gzip -dc /usr/share/man/man1/tern.1.gz)" ||
  fail "no manual page, or not of tern serve"
offered=$(bash -c '. /usr/share/bash-completion/completions/tern
  COMP_WORDS=(tern serve --slo) COMP_CWORD=2; _tern; echo "${COMPREPLY[*]}"')
[ "$offered" = --slots ] || fail "the completion offers '$offered', not --slots"

echo "--- the server"
install curl
tern serve --port 0 >/tmp/serve.out 2>/tmp/serve.err &
server=$!
for _ in $(seq 100); do
  grep -q listening /tmp/serve.out && break
  sleep 0.1
done
url=$(sed -n 's/^listening on //p' /tmp/serve.out)
grep -q '"status":"ok"' <<<"$(curl -fsS "$url/health")" || fail "/health is not ok"
grep -q '"usage"' <<<"$(curl -fsS "$url/v1/completions" \
  -H 'Content-Type: application/json' \
  -d '{"prompt": "Once upon a time", "max_tokens": 8}')" ||
  fail "no completion"
kill "$server"
wait "$server" || fail "tern serve ended with $?: $(cat /tmp/serve.err)"

echo "--- nothing is left"
apt-get purge -y -qq --auto-remove tern curl >/dev/null 2>&1
files >/tmp/after
diff /tmp/before /tmp/after || fail "files are left, or missing"

echo "--- the library, from C++ and C"
install ./libtern0.*.deb ./libtern-dev_*.deb ./tern_*.deb g++
prompt="Once upon a time there was a king who"
model=/usr/share/tern/books-79m.gguf
for kind in shared static; do
  libs=$(pkg-config --libs tern)
  [ $kind = shared ] || libs=$(pkg-config --static --libs tern |
    sed 's/-ltern/-l:libtern.a/')
  # shellcheck disable=SC2086,SC2046
  g++ -std=c++20 $(pkg-config --cflags tern) cpp/tell.cc -o cpp_$kind $libs
  # shellcheck disable=SC2086,SC2046
  gcc -std=c99 $(pkg-config --cflags tern) c/tell.c -o c_$kind $libs
done
says_the_same() { # PROGRAM...
  local program
  for program in "$@"; do
    [ "$("./$program" "$model" "$prompt")" = "$(cat want)" ] ||
      fail "$program says another text"
  done
}
says_the_same cpp_shared c_shared cpp_static c_static
# Programs need libtern0.1 alone.
cp $model .
model=./books-79m.gguf
apt-get purge -y -qq libtern-dev tern >/dev/null 2>&1
says_the_same cpp_shared c_shared
apt-get purge -y -qq --auto-remove libtern0.1 g++ >/dev/null 2>&1
files >/tmp/after
diff /tmp/before /tmp/after || fail "files are left, or missing"
echo "packages: installed, used and removed without a trace"
