#!/usr/bin/env bash
# Makes a root directory of Debian 13 with what the tests need, once, and prints
# where it is. The directory's name is the hash of everything that decides its
# content, so a change makes a new one. Run as root.
#   tests/debian13/build-root.sh CACHE_DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${1:?usage: build-root.sh CACHE_DIRECTORY}
suite=trixie

arch=$(dpkg --print-architecture)
packages=$("$here/../setup.sh" list running peers | paste -sd, -)
hash=$({
    echo "$suite $arch $packages"
    cat "$here/build-root.sh"
} | sha256sum | cut -c1-16)
made=$cache/$suite-$arch-$hash
if [ -f "$made/done" ]; then
    echo "$made/root"
    exit 0
fi

started=$SECONDS
echo "making a root directory of Debian 13 ($arch); this happens once" >&2
mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
"$here/../mirror.sh" "$suite" "$work"
# GStreamer's registry of plugins is made here, or each of the first programs
# makes its own.
# shellcheck disable=SC2016 # mmdebstrap's hooks expand $1
if ! mmdebstrap --mode=root --variant=minbase --include="$packages" \
    --aptopt="$work/apt.conf" --aptopt='Acquire::Languages "none"' \
    --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt=force-unsafe-io \
    --customize-hook='printf "127.0.0.1 localhost\n::1 localhost\n" >"$1/etc/hosts"' \
    --customize-hook='chroot "$1" env HOME=/root gst-inspect-1.0 >/dev/null' \
    "$suite" "$work/root" - <"$work/sources.list" >"$work/log" 2>&1; then
    cat "$work/log" >&2
    exit 1
fi
chmod 755 "$work"
rm -f "$work/sources.list" "$work/apt.conf" "$work/log"
touch "$work/done"
# One is enough: each takes 0.8 GB.
rm -rf "$cache/$suite-$arch"-*
mv "$work" "$made"
trap - EXIT
echo "made in $((SECONDS - started)) s, $(du -sm "$made" | cut -f1) MB" >&2
echo "$made/root"
