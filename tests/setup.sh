#!/usr/bin/env bash
# Brings in what the given purposes need and this machine lacks; silent and
# quick when nothing is missing.
#   tests/setup.sh build|demo|test|bench|lint|vm|debian13 ...
#   tests/setup.sh list PURPOSE ...    only prints the packages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Debian packages by purpose. The names are those of Debian 12, Debian 13 and
# Raspberry Pi OS.
declare -A packages
packages[build]="gcc libasound2-dev libc6-dev libclang-dev libgstreamer-plugins-base1.0-dev
    libgstreamer1.0-dev make pkg-config"
packages[running]="gstreamer1.0-alsa gstreamer1.0-libav gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly
    gstreamer1.0-x"
packages[peers]="ca-certificates curl ffmpeg glib-networking gstreamer1.0-tools iproute2 jq
    libnginx-mod-rtmp libnginx-mod-stream microsocks nginx openssl procps tinyproxy-bin
    util-linux xvfb zbar-tools"
packages[demo]="${packages[build]} ${packages[running]}"
packages[test]="${packages[demo]} ${packages[peers]}"
packages[debian13]="${packages[test]} debian-archive-keyring mmdebstrap"
packages[bench]="${packages[demo]} ffmpeg gstreamer1.0-tools libnginx-mod-rtmp nginx"
packages[lint]="${packages[build]} shellcheck"
packages[vm]="${packages[demo]} curl debian-archive-keyring e2fsprogs ffmpeg jq kmod
    mmdebstrap qemu-system-x86 xz-utils"

# check_rust: the compiler comes from the user's own toolchain, because
# Debian's is older than what the package needs.
check_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    if [ -d "$HOME/.cargo/bin" ]; then
        PATH=$HOME/.cargo/bin:$PATH
    fi
    if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
        cat >&2 <<END
Rust $wanted or newer is needed and no cargo is in the path. Get it with
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y
    . "\$HOME/.cargo/env"
and run make again.
END
        return 1
    fi
    found=$(rustc --version | awk '{ print $2 }')
    if ! printf '%s\n%s\n' "$wanted" "$found" | sort -V -C; then
        cat >&2 <<END
Rust $wanted or newer is needed; $(command -v rustc) is $found. Get it with
    rustup update stable
or, where there is no rustup,
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y
    . "\$HOME/.cargo/env"
and run make again.
END
        return 1
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# The tests start nginx themselves; one that comes in with its package shall not
# take port 80 now or at the next boot.
nginx_policy=/usr/sbin/policy-rc.d
keep_nginx_stopped() {
    [ -e "$nginx_policy" ] && return
    # shellcheck disable=SC2016 # for the policy's own shell
    printf '#!/bin/sh\n[ "$1" = nginx ] && exit 101\nexit 0\n' |
        as_root tee "$nginx_policy" >/dev/null
    as_root chmod 755 "$nginx_policy"
    trap 'as_root rm -f "$nginx_policy"' EXIT
}

install_packages() {
    local missing
    # shellcheck disable=SC2086 # a list of words
    missing=$(printf '%s\n' "$@" | sort -u | grep -vxF -f <(
        dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p'
    ) || true)
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086
    echo "installing Debian packages:" $missing
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        echo "not root and no sudo here: install these packages and run make again" >&2
        return 1
    fi
    grep -qx nginx <<<"$missing" && keep_nginx_stopped
    local log
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! {
        as_root apt-get update -qq &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
                --no-install-recommends -o DPkg::Lock::Timeout=300 $missing
    } </dev/null >"$log" 2>&1; then
        cat "$log" >&2
        return 1
    fi
    rm -f "$log"
    if grep -qx nginx <<<"$missing" && command -v systemctl >/dev/null; then
        as_root systemctl disable --quiet nginx
    fi
}

list=
if [ "${1:-}" = list ]; then
    list=yes
    shift
fi
if [ -z "$list" ] && ! command -v dpkg-query >/dev/null; then
    echo "this needs Debian or Raspberry Pi OS (no dpkg here)" >&2
    exit 1
fi
wanted=
for purpose in "$@"; do
    if [ -z "${packages[$purpose]:-}" ]; then
        echo "setup.sh: unknown purpose '$purpose' (known: ${!packages[*]})" >&2
        exit 2
    fi
    wanted="$wanted ${packages[$purpose]}"
done
if [ -n "$list" ]; then
    # shellcheck disable=SC2086 # a list of words
    printf '%s\n' $wanted | sort -u
    exit
fi
check_rust
# shellcheck disable=SC2086
install_packages $wanted
