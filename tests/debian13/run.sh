#!/usr/bin/env bash
# Runs the tests that were built on this machine with Debian 13 around them: its
# GStreamer, its canceller, its encoders and its nginx. The kernel stays ours.
#   tests/debian13/run.sh TARGET_DIRECTORY [PROGRAM[=FILTER,FILTER...] ...]
# Programs are lib, rtckiosk, rtcroomd and the folders of tests/; all without one.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(realpath "$here/../..")
mkdir -p "${1:?usage: run.sh TARGET_DIRECTORY [PROGRAM[=FILTER,...] ...]}"
target=$(realpath "$1")
shift

# /dev, /proc, network namespaces and the mounts are root's.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

cd "$tree"
built=$("${CARGO:-cargo}" test --locked --no-run --message-format=json-render-diagnostics |
    jq -r 'select(.executable and .profile.test) |
        "\(if .target.kind[0] == "lib" then "lib" else .target.name end) \(.executable)"')
root=$(as_root "$here/build-root.sh" "$target/debian13")

wanted=("$@")
if [ "${#wanted[@]}" -eq 0 ]; then
    mapfile -t wanted < <(cut -d' ' -f1 <<<"$built")
fi
failed=()
for want in "${wanted[@]}"; do
    name=${want%%=*}
    program=$(sed -n "s/^$name //p" <<<"$built")
    if [ -z "$program" ]; then
        echo "no test program '$name' (there are: $(cut -d' ' -f1 <<<"$built" | sort | xargs))" >&2
        exit 2
    fi
    filters=()
    if [ "$want" != "$name" ]; then
        IFS=, read -ra filters <<<"${want#*=}"
    fi
    printf '\n-- Debian 13: %s\n' "$want"
    # Processes and mounts end with the namespaces.
    as_root unshare --mount --propagation private --pid --fork --kill-child -- \
        "$here/inside.sh" "$root" "$tree" "$target" "${CI:-}" "$program" "${filters[@]}" ||
        failed+=("$want")
done
if [ "${#failed[@]}" -gt 0 ]; then
    echo "failed on Debian 13: ${failed[*]}" >&2
    exit 1
fi
