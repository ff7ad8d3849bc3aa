#!/usr/bin/env bash
# A kiosk with the kernel's camera and sound cards (in the virtual machine)
# calls an agent (on this machine) through rtcroomd (on this machine).
#   tests/vm/run.sh DIRECTORY_OF_PROGRAMS CACHE_DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=$(realpath "${1:?usage: run.sh DIRECTORY_OF_PROGRAMS CACHE_DIRECTORY}")
cache=$(realpath -m "${2:?usage: run.sh DIRECTORY_OF_PROGRAMS CACHE_DIRECTORY}")
# shellcheck source=tests/vm/vm.sh
. "$here/vm.sh"

# All of it. Every limit here and in guest.sh is for an emulated processor on a
# busy machine, and many times what an idle one needs.
DEADLINE=600
# Different tones, so that each side knows whom it hears.
KIOSK_HZ=1000
AGENT_HZ=700

image=$("$here/build-image.sh" "$cache")
# Short, because a control socket's path may have 107 characters only.
work=$(mktemp -d /tmp/rtckiosk-vm.XXXXXX)
services=()
passed=

finish() {
    local pid log
    # Cleans up also when nobody reads the output any more.
    trap '' PIPE
    set +e
    vm_stop
    for pid in "${services[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    wait
    if [ -z "$passed" ]; then
        for log in rtcroomd.log agent.jsonl agent.log qemu.log kernel.log; do
            printf -- '--- %s\n' "$log"
            tail -n 60 "$work/$log" 2>/dev/null || true
        done
        say "FAILED after $SECONDS s"
    fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

http=$(free_port)
rtmp=$(free_port)
base=http://$HOST_ADDRESS:$http/weapp

write_configs() {
    cat >"$work/rtcroomd.toml" <<END
[http]
listen = "$HOST_ADDRESS:$http"
[relay.embedded]
listen = "$HOST_ADDRESS:$rtmp"
END
    cat >"$work/agent.toml" <<END
name = "Agent"
state_dir = "$work/agent"
runtime_dir = "$work/agent"
[room]
server_url = "$base"
# A place is left for the witness: a full room shows its streams to its members alone.
type = "multi"
user_id = "agent"
mode = "host"
[media.video]
source = "test"
width = 320
height = 240
fps = 10
bitrate_kbps = 300
[media.audio]
microphone = "test:$AGENT_HZ"
speaker = "none"
[display]
backend = "headless"
END
    # A picture that an emulated processor can encode besides all its other work.
    cat >"$work/disk/kiosk.toml" <<END
name = "Kiosk"
state_dir = "/tmp/state"
snapshot_dir = "/tmp"
runtime_dir = "/run/rtckiosk"
[room]
server_url = "$base"
# A place is left for the witness: a full room shows its streams to its members alone.
type = "multi"
user_id = "kiosk"
[[media.cameras]]
name = "front"
source = "/dev/video0"
# A mode larger than the picture that is sent: snapshots are of its size.
[[media.cameras]]
name = "desk"
source = "/dev/video1"
width = 640
height = 360
[media.video]
width = 320
height = 180
fps = 10
bitrate_kbps = 300
[media.audio]
microphone = "hw:CARD=Mic,DEV=1"
speaker = "hw:CARD=Speaker,DEV=0"
# Too much for an emulated processor; tests/echo has it.
echo_cancellation = "off"
noise_suppression = false
gain_control = false
[media.network]
connect_timeout_seconds = 60
[display]
backend = "headless"
width = 320
height = 240
END
}

start_services() {
    "$programs/rtcroomd" --config "$work/rtcroomd.toml" >"$work/rtcroomd.log" 2>&1 &
    services+=($!)
    curl -sf -o "$work/login.json" --retry 20 --retry-connrefused --retry-delay 1 -m 20 \
        "$base/utils/get_login_info?userID=witness"
    "$programs/rtckiosk" agent --config "$work/agent.toml" \
        >"$work/agent.jsonl" 2>"$work/agent.log" &
    services+=($!)
}

# A third party at the room server, which sees what members see.
post() {
    curl -sf -m 10 -H 'Content-Type: application/json' -d "${2:-{\}}" "$base/multi_room/$1"
}
members() {
    local query
    query=$(jq -r '"sdkAppID=\(.sdkAppID)&accountType=\(.accType|@uri)&userID=\(.userID)&userSig=\(.userSig|@uri)"' \
        "$work/login.json")
    query=userID=witness\&token=$(post "login?$query" | jq -r '.token|@uri')
    # Lists carry no URL: those are asked for room by room.
    post "get_room_list?$query" '{"cnt":20,"index":0}' |
        jq -c '.rooms[] | {roomID}' |
        while read -r room; do post "get_pushers?$query" "$room"; done | jq -s '{rooms: .}'
}

# The agent decodes the kiosk's camera and hears its microphone's tone.
agent_sees_and_hears() {
    local deadline=$((SECONDS + 40))
    while [ "$SECONDS" -lt "$deadline" ]; do
        if grep '"downlinks"' "$work/agent.jsonl" | tail -n 1 |
            jq -e --argjson hz "$KIOSK_HZ" 'any(.downlinks[];
                .frames >= 20 and .width == 320 and .height == 180 and .audio.rms_db > -40
                and (.audio.tone_hz // 0) > $hz * 0.95 and .audio.tone_hz < $hz * 1.05)' >/dev/null; then
            return 0
        fi
        sleep 0.5
    done
    tail -n 3 "$work/agent.jsonl"
    return 1
}

# The tone arrives, and so do frames: of a camera, or of the picture in its place.
agent_still_hears() {
    local deadline=$((SECONDS + 40)) before
    before=$(grep -c '"downlinks"' "$work/agent.jsonl")
    while [ "$SECONDS" -lt "$deadline" ]; do
        # Only figures of from now on count.
        if grep '"downlinks"' "$work/agent.jsonl" | tail -n "+$((before + 2))" | tail -n 1 |
            jq -e --argjson hz "$KIOSK_HZ" 'any(.downlinks[]; .fps > 2 and .audio.rms_db > -40
                and (.audio.tone_hz // 0) > $hz * 0.95 and .audio.tone_hz < $hz * 1.05)' >/dev/null; then
            return 0
        fi
        sleep 0.5
    done
    tail -n 3 "$work/agent.jsonl"
    return 1
}

# The kiosk's microphone is known not to work.
agent_knows_of_the_microphone() {
    local deadline=$((SECONDS + 20))
    while [ "$SECONDS" -lt "$deadline" ]; do
        if grep '"session"' "$work/agent.jsonl" | tail -n 1 |
            jq -e '.session.members.kiosk.lacks == ["microphone"]' >/dev/null; then
            return 0
        fi
        sleep 0.5
    done
    grep '"session"' "$work/agent.jsonl" | tail -n 1
    return 1
}

# So does ffmpeg, which shares no code with us: the picture moves at the
# configured rate, and the tone is the one played into the microphone.
ffmpeg_sees_and_hears() {
    local url frames pictures level hz
    url=$(members | jq -re '[.rooms[].pushers[] | select(.userID == "kiosk").accelerateURL][0]') ||
        return
    timeout 30 ffmpeg -v error -y -i "$url" -t 4 -c copy "$work/kiosk.flv" </dev/null
    frames=$(ffmpeg -v error -i "$work/kiosk.flv" -an -f framemd5 - </dev/null | grep -cv '^#')
    pictures=$(ffmpeg -v error -i "$work/kiosk.flv" -an -f framemd5 - </dev/null |
        awk '!/^#/ { print $NF }' | sort -u | wc -l)
    read -r level hz < <(ffmpeg -v error -i "$work/kiosk.flv" -vn -ac 1 -ar 8000 -f s16le - </dev/null |
        od -An -v -td2 -w2 | awk -v rate=8000 -f "$here/tone.awk")
    say "ffmpeg got $frames frames, $pictures of them different, and $hz Hz at $level dB"
    # Of 40; an emulated camera on a busy machine loses some.
    [ "$frames" -ge 15 ] && [ "$pictures" -ge 15 ] && [ "$level" -ge -40 ] &&
        [ "$hz" -ge $((KIOSK_HZ * 95 / 100)) ] && [ "$hz" -le $((KIOSK_HZ * 105 / 100)) ]
}

kiosk_left() {
    members | jq -e '[.rooms[].pushers[].userID] | index("agent") and (index("kiosk") | not)' >/dev/null
}

# check NAME: carries out what the virtual machine asks for.
check() {
    case $1 in
    seen-and-heard) agent_sees_and_hears && ffmpeg_sees_and_hears ;;
    still-heard) agent_still_hears ;;
    lacks-microphone) agent_knows_of_the_microphone ;;
    left) kiosk_left ;;
    *) say "the virtual machine asks for an unknown check '$1'" && return 1 ;;
    esac
}

mkdir "$work/disk"
write_configs
install -m 755 "$here/init" "$here/guest.sh" "$here/tone.awk" "$work/disk/"
printf 'KIOSK_HZ=%s\nAGENT_HZ=%s\n' "$KIOSK_HZ" "$AGENT_HZ" >"$work/disk/settings"
# Line tables are of no use there, and make the program ten times as large.
strip --strip-debug -o "$work/disk/rtckiosk" "$programs/rtckiosk"
size=$(($(du -sm "$work/disk" | cut -f1) * 11 / 10 + 16))
mke2fs -q -t ext4 -d "$work/disk" "$work/test.ext4" "${size}M" >/dev/null
start_services
vm_boot "$work" "$image"

status=
while vm_next $((DEADLINE - SECONDS)); do
    case $VM_MESSAGE in
    "step "*) say "$VM_MESSAGE" ;;
    "ask "*)
        if check "${VM_MESSAGE#ask }"; then
            vm_answer ok
        else
            vm_answer failed
        fi
        ;;
    "exit "*)
        status=${VM_MESSAGE#exit }
        break
        ;;
    esac
done
if [ "$status" != 0 ]; then
    say "the virtual machine ended with ${status:-no status, or not within $DEADLINE s}"
    exit 1
fi
passed=yes
say "PASSED in $SECONDS s"
