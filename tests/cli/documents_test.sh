#!/usr/bin/env bash
# The manual page and the completion know every command and option.
#   documents_test.sh PROGRAM SOURCE_FOLDER
set -euo pipefail
program=$1
source=$2

page=$("$source/scripts/man_page.sh" "$program" | sed -e 's/\\-/-/g')
# shellcheck source=/dev/null
. "$source/cli/completion.bash"
offered() { # WORDS...: what is offered for the last one
  COMP_WORDS=("$program" "$@")
  COMP_CWORD=$#
  COMPREPLY=()
  _tern
  printf '%s\n' "${COMPREPLY[@]}"
}

# Not through a pipe: grep -q leaves at the first match, and the writer that is
# then killed would count as a failure.
is_offered() { # WORDS...
  grep -qx -- "${*: -1}" <<<"$(offered "$@")"
}

status=0
missing() {
  echo "missing: $*" >&2
  status=1
}
commands=$("$program" help |
  awk '/^Commands:/ { inside = 1; next } /^$/ { inside = 0 } inside { print $1 }')
[ "$(wc -w <<<"$commands")" -ge 10 ] || missing "commands: $commands"
for command in $commands; do
  grep -qx ".SH TERN ${command^^}" <<<"$page" || missing "$command in the page"
  is_offered "$command" || missing "$command offered"
  is_offered help "$command" || missing "$command offered after help"
  options=$("$program" "$command" --help | grep -oE '^  (-. \[ )?--[a-z0-9-]+' |
    grep -oE -- '--[a-z0-9-]+')
  for option in $options; do
    grep -qF -- "$option" <<<"$page" || missing "$command $option in the page"
    is_offered "$command" "$option" ||
      missing "$command $option offered"
  done
done
exit $status
