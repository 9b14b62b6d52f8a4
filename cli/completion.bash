# Completion of tern's commands and options for bash, and for zsh after
#   autoload bashcompinit && bashcompinit
# It asks the program itself, and so knows what that knows.
#   source completion.bash
_tern() {
  local word=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]} words
  if [ "$COMP_CWORD" -eq 1 ] ||
    [ "$COMP_CWORD ${COMP_WORDS[1]}" = "2 help" ]; then
    words=$("$program" help 2>/dev/null |
      awk '/^Commands:/ { inside = 1; next } /^$/ { inside = 0 }
           inside { print $1 }')
    [ "$COMP_CWORD" -eq 2 ] || words+=" help"
  elif [ "${word#-}" != "$word" ]; then
    words=$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null |
      awk '$1 ~ /^-/ { for (i = 1; i <= 3; ++i)
                         if (match($i, /^--[a-z0-9-]+/))
                           print substr($i, RSTART, RLENGTH) }')
  else
    return  # files: -o default
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _tern tern
