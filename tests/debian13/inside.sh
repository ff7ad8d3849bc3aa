#!/usr/bin/env bash
# Runs a program in another root directory, in namespaces of its own that run.sh
# has made: the tree and what was built of it are where they are outside, because
# the tests know their programs by path.
#   inside.sh ROOT TREE TARGET_DIRECTORY CI PROGRAM [ARGUMENT ...]
set -euo pipefail
root=$1 tree=$2 target=$3 ci=$4
shift 4

# A mount point: network namespaces with mounts of their own can be made from one.
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/run"
for shared in "$tree" "$target"; do
    mkdir -p "$root$shared"
    mount --bind "$shared" "$root$shared"
done
# Not chroot alone: who enters one of our namespaces later (nsenter) gets its root.
mkdir -p "$root/.outside"
cd "$root"
pivot_root . .outside
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
hash -r
umount --lazy /.outside
cd "$tree"
exec env -i CI="$ci" CARGO_MANIFEST_DIR="$tree" G_DEBUG=fatal_warnings HOME=/root \
    LC_ALL=C.UTF-8 PATH="$PATH" "$@"
