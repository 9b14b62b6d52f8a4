# Reads `objdump -d -C --no-show-raw-insn`, prints every vector or floating-point
# multiplication outside the functions that `allowed` matches, and exits 1 if
# there was one, or if one of `targets` shows no instruction `witness` on vectors
# (then the code that should have been read was not).
BEGIN {
  if (arch == "x86") {
    multiply = "^v?(pmadd|pmul|pdp|mul[ps][sdh]|dp(ps|pd|bf16)|gf2p8mul|gf2p8aff)" \
               "|^vfn?m(add|sub)|^vf?c?mulc|^vfc?madd|^tdp|^fi?mul"
  } else {
    multiply = "^(fn?mul|fn?madd|fn?msub|fmla|fmls|fcmla|bf(m|dot|vdot)|fmmla)"
    # These exist for general registers too.
    multiply_vectors = "^(mul|mla|mls|[su]ml[as]l|[su]mull|pmul|[su]dot|usdot|" \
                       "sudot|us?mmla|smmla|sqr?d?mul|sqrdml|sqdml)"
  }
  witness = "^(" witness ")$"
}

/^[0-9a-f]+ <.*>:$/ {
  name = $0
  sub(/^[0-9a-f]+ </, "", name)
  sub(/>:$/, "", name)
  target = match(name, /N_[A-Z0-9_]+::/) ? substr(name, RSTART + 2, RLENGTH - 4) : ""
  next
}

/^ *[0-9a-f]+:/ {
  instruction = $0
  sub(/^ *[0-9a-f]+:[ \t]*/, "", instruction)
  sub(/^\{[a-z0-9]+\} /, "", instruction)  # {vex}, {evex}
  split(instruction, word)
  mnemonic = word[1]
  on_vectors = arch == "x86" || word[2] ~ /^\{?v[0-9]/
  if (target != "" && on_vectors && mnemonic ~ witness) seen[target]++
  if (mnemonic ~ multiply ||
      (arch == "arm" && on_vectors && mnemonic ~ multiply_vectors)) {
    if (allowed == "" || name !~ allowed) {
      print "multiplies: " instruction "   in " name
      bad = 1
    }
  }
}

END {
  count = split(targets, wanted, " ")
  for (i = 1; i <= count; ++i) {
    if (!seen[wanted[i]]) {
      print "saw no vector code of target " wanted[i]
      bad = 1
    }
  }
  exit bad
}
