#!/usr/bin/env bash
# Tries the Debian packages in a bare Debian 12 that is made for it (a chroot in
# namespaces of its own): dependencies as declared, the program, the server, the
# library from C++ and C, and that nothing is left when they are removed.
# As root, with a network:
#   scripts/check_package.sh BUILD_FOLDER      (build/deb, by make deb)
set -euo pipefail
build=$(realpath "$1")
source=$(cd "$(dirname "$0")/.." && pwd)
"$source/scripts/install_packages.sh" package

work=$(mktemp -d)
root=$work/root
trap 'rm -rf --one-file-system "$work"' EXIT
packages=("$build"/tern_*.deb "$build"/libtern0.*.deb "$build"/libtern-dev_*.deb)

echo "--- lintian"
# Whoever builds packages for others gives TERN_MAINTAINER.
lintian --fail-on error --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog "${packages[@]}"

echo "--- a bare Debian 12"
# Kept for the next time; one that was interrupted is not.
if [ ! -e "$build/bare.tar" ]; then
  mmdebstrap --quiet --variant=minbase bookworm "$build/made.tar"
  mv "$build/made.tar" "$build/bare.tar"
fi
mkdir "$root"
tar -C "$root" -xf "$build/bare.tar"
mkdir "$root/packages"
cp "${packages[@]}" "$root/packages"
cp -r "$source/tests/install/cpp" "$source/tests/install/c" "$root/packages"
cp "$source/scripts/check_package_inside.sh" "$root/packages"
"$build/tern" run --temp 0 -n 24 --no-echo \
  -p "Once upon a time there was a king who" 2>"$work/errors" >"$root/packages/want" ||
  { cat "$work/errors" >&2; exit 1; }

# What it starts ends with it: the first process of its namespace.
unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" \
  chroot "$root" /usr/bin/env -i HOME=/root TERM=dumb \
  PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
  bash /packages/check_package_inside.sh
