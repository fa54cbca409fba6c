#!/bin/sh
# Runs the conformance tests of the iptables language against the iptables of other Debian releases, each in a root of
# its own under .cache: bullseye has 1.8.7, trixie 1.8.11. Takes some minutes, needs root and debootstrap.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- bullseye trixie
failed=
for name in "$@"; do
  root="$PWD/.cache/roots/$name"
  if [ ! -x "$root/usr/sbin/iptables" ]; then
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include=iptables,ipset,netbase,iproute2 "$name" "$root" http://deb.debian.org/debian
  fi
  echo "== $name: $(chroot "$root" iptables --version)"
  SALLYPORT_IPTABLES_ROOT="$root" npx jest --selectProjects conformance \
    --testPathPatterns '/rule\.(corpus|properties|upstream)\.|/parse\.rulesets\.|/saved\.' ||
    failed="$failed $name"
done
[ -z "$failed" ] || { echo "differences:$failed" >&2; exit 1; }
