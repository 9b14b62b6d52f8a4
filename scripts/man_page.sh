#!/usr/bin/env bash
# Writes the manual page of the program from what it says of itself, so that
# the two cannot differ.
#   scripts/man_page.sh PROGRAM > tern.1
set -euo pipefail
program="${1:?usage: scripts/man_page.sh PROGRAM}"

# Text as it is: no backslash, and no dot or quote at the start of a line, means
# anything.
verbatim() {
  echo .nf
  sed -e 's/\\/\\e/g' -e "s/^[.']/\\\\\&&/" -e 's/-/\\-/g'
  echo .fi
}

commands=$("$program" help |
  awk '/^Commands:/ { inside = 1; next } /^$/ { inside = 0 } inside { print $1 }')
version=$("$program" --version | sed -n 1p)

echo ".TH TERN 1 \"\" \"$version\" \"User Commands\""
cat <<'END'
.SH NAME
tern \- runs ternary language models on ordinary CPUs
.SH SYNOPSIS
.B tern
.I COMMAND
[options]
.SH DESCRIPTION
END
"$program" help | verbatim
for command in $commands; do
  echo ".SH TERN ${command^^}"
  "$program" "$command" --help | verbatim
done
cat <<'END'
.SH ENVIRONMENT
.TP
.B TERN_MODEL
the model where no
.B \-m
is given
.TP
.B NO_COLOR
no colour and no bars
END
