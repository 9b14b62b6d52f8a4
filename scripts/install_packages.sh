#!/usr/bin/env bash
# Installs the Debian packages that are missing for the given purposes
# (packages.txt lists them) and says what it does.
#   scripts/install_packages.sh build test
set -euo pipefail

if [ $# -eq 0 ]; then
  echo "usage: $0 PURPOSE...   (see packages.txt)" >&2
  exit 2
fi
list="$(dirname "$0")/../packages.txt"

# Of this machine's architecture, or of the one that the name asks for.
installed() {
  local arch=${1#*:}
  [ "$arch" != "$1" ] || arch="$(dpkg --print-architecture)"
  dpkg-query -W -f '${Architecture} ${Status}\n' "$1" 2>/dev/null |
    grep -qE "^($arch|all) install ok installed$"
}

missing=()
for purpose in "$@"; do
  packages=$(awk -v p="$purpose" '$1 == p { print $2 }' "$list")
  if [ -z "$packages" ]; then
    echo "$0: packages.txt has no purpose '$purpose'" >&2
    exit 2
  fi
  for package in $packages; do
    installed "$package" || missing+=("$package")
  done
done

if [ ${#missing[@]} -eq 0 ]; then
  echo "packages for $*: all installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "$0: not root and no sudo; install by hand: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "installing: ${missing[*]}"
for package in "${missing[@]}"; do
  [ "$package" = "${package#*:}" ] ||
    "${as_root[@]}" dpkg --add-architecture "${package#*:}"
done
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
