#!/usr/bin/env bash
# Builds the virtual machine's root file system, kernel and initramfs once, and
# prints the directory that holds them. The directory's name is the hash of
# everything that decides its content, so a change builds a new one.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${1:?usage: build-image.sh CACHE_DIRECTORY}

# shellcheck source=/dev/null
suite=${VM_SUITE:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
arch=$(dpkg --print-architecture)
hash=$({
    echo "$suite $arch"
    cat "$here/build-image.sh" "$here/packages.txt" "$here/initramfs-init"
} | sha256sum | cut -c1-16)
image=$cache/$suite-$arch-$hash
if [ -f "$image/done" ]; then
    echo "$image"
    exit 0
fi

started=$SECONDS
echo "building the virtual machine's image ($suite, $arch); this happens once" >&2
mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT

"$here/../mirror.sh" "$suite" "$work"

packages=$(grep -v '^#' "$here/packages.txt" | paste -sd, -)
# The kernel's own initramfs is not wanted: it boots a whole udev. The registry
# of GStreamer's plugins is made here, because scanning them in an emulated
# processor takes longer than the rest of the boot.
# shellcheck disable=SC2016 # mmdebstrap's hooks expand $1
if ! INITRD=No mmdebstrap --variant=minbase --include="$packages,linux-image-$arch" \
    --aptopt="$work/apt.conf" --aptopt='Acquire::Languages "none"' \
    --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt=force-unsafe-io \
    --essential-hook='printf "do_initrd = no\n" >"$1/etc/kernel-img.conf"' \
    --customize-hook='mkdir -p "$1/test" "$1/var/cache/gstreamer"' \
    --customize-hook='chroot "$1" env GST_REGISTRY=/var/cache/gstreamer/registry.bin gst-inspect-1.0 >/dev/null' \
    "$suite" "$work/root.tar" - <"$work/sources.list" >"$work/log" 2>&1; then
    cat "$work/log" >&2
    exit 1
fi
mkdir "$work/root"
# Without its device nodes the tree needs no root to unpack; the kernel makes them.
tar -x -C "$work/root" --exclude='./dev/*' --no-same-owner -f "$work/root.tar"
rm "$work/root.tar"
cp "$work"/root/boot/vmlinuz-* "$work/vmlinuz"
kernel=$(basename "$work"/root/lib/modules/*)

# The initramfs: busybox and the modules between the kernel and the root disk.
mkdir -p "$work/initramfs/bin" "$work/initramfs/modules"
cp "$work/root/bin/busybox" "$work/initramfs/bin/"
install -m 755 "$here/initramfs-init" "$work/initramfs/init"
for module in virtio_pci virtio_blk virtio_console ext4 crc32c_generic; do
    modprobe -d "$work/root" -S "$kernel" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
    name=$(basename "$file")
    name=${name%.xz}
    case $file in
    *.xz) xz -dc "$file" >"$work/initramfs/modules/$name" ;;
    *) cp "$file" "$work/initramfs/modules/" ;;
    esac
    echo "$name"
done >"$work/order"
mv "$work/order" "$work/initramfs/modules/order"
(cd "$work/initramfs" && find . | "$work/root/bin/busybox" cpio -o -H newc 2>/dev/null) >"$work/initrd"

megabytes=$(($(du -sm "$work/root" | cut -f1) * 11 / 10 + 200))
mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -d "$work/root" "$work/root.ext4" "${megabytes}M" >/dev/null

rm -rf "$work/root" "$work/initramfs" "$work/sources.list" "$work/apt.conf" "$work/log"
touch "$work/done"
mkdir -p "$(dirname "$image")"
rm -rf "$image"
mv "$work" "$image"
trap - EXIT
echo "built in $((SECONDS - started)) s, $(du -sm "$image" | cut -f1) MB" >&2
echo "$image"
