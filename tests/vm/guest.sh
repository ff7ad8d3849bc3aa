#!/bin/bash
# The test's half inside the virtual machine: a kiosk with the kernel's own
# camera and sound cards. The sound card "Mic" has a tone played into its other
# side; what the kiosk plays comes out of the other side of "Speaker".
set -euo pipefail
# shellcheck source=/dev/null
. /test/settings
PATH=/test:$PATH
config=/test/kiosk.toml

tell() { printf '\n@vm %s %s\n' "$VM_NONCE" "$*"; }

fail() {
    echo "FAILED: $*"
    exit 1
}

step() {
    local started=$SECONDS
    "$@"
    tell "step $* passed in $((SECONDS - started)) s"
}

# on_exit: what there is to know when a step has failed.
on_exit() {
    local status=$?
    if [ "$status" -ne 0 ]; then
        echo "--- kiosk's log"
        tail -n 80 /tmp/kiosk.log 2>/dev/null || true
        echo "--- kiosk's status"
        rtckiosk status --config "$config" --json 2>&1 | tail -n 100 || true
        echo "--- kernel"
        dmesg | tail -n 15
    fi
    exit "$status"
}
trap on_exit EXIT

# expect FILE FILTER WORDS: the JSON file must satisfy the jq filter.
expect() {
    if ! jq -e "$2" "$1" >/dev/null; then
        cat "$1"
        fail "$3 (jq: $2)"
    fi
}

# The daemon's status satisfies a jq filter within so many seconds.
await() {
    local deadline=$((SECONDS + $1)) filter=$2
    while [ "$SECONDS" -lt "$deadline" ]; do
        if rtckiosk status --config "$config" --json >/tmp/status.json 2>/tmp/status.err &&
            jq -e "$filter" /tmp/status.json >/dev/null; then
            return 0
        fi
        sleep 0.5
    done
    cat /tmp/status.json /tmp/status.err
    fail "the kiosk's status did not satisfy within $1 s: $filter"
}

# ask NAME: the host does its check of that name while we wait.
ask() {
    local answer
    tell "ask $1"
    read -r -t 120 answer || fail "the host did not answer to '$1'"
    [ "$answer" = ok ] || fail "the host's check '$1' failed"
}

devices() {
    rtckiosk devices --json >/tmp/devices.json
    local device
    for device in /dev/video0 /dev/video1; do
        expect /tmp/devices.json \
            "any(.cameras[]; .path == \"$device\" and .driver == \"vivid\" and (.modes | length) > 0)" \
            "the camera $device is listed with its modes"
    done
    expect /tmp/devices.json \
        'any(.microphones[]; .device == "hw:CARD=Mic,DEV=1" and .rates[1] >= 48000)' \
        "the microphone is listed"
    expect /tmp/devices.json \
        'any(.speakers[]; .device == "hw:CARD=Speaker,DEV=0" and .rates[1] >= 48000)' \
        "the loudspeaker is listed"
    expect /tmp/devices.json '.encoders | index("x264enc")' "the encoder is listed"
}

check() {
    rtckiosk check --config "$config"
    # A camera that does not exist is a reason to fail, and is named.
    sed 's,/dev/video0,/dev/video7,' "$config" >/tmp/wrong.toml
    if rtckiosk check --config /tmp/wrong.toml >/tmp/check.txt 2>&1; then
        cat /tmp/check.txt
        fail "a check without its camera passed"
    fi
    grep -q /dev/video7 /tmp/check.txt || {
        cat /tmp/check.txt
        fail "the check does not name the camera that is missing"
    }
}

# The side of the sound card "Speaker" where the kiosk's sound comes out holds
# the agent's tone.
speaker_plays() {
    local level hz
    arecord -q -D plughw:Speaker,1 -f S16_LE -r 8000 -c 1 -d 2 -t raw /tmp/speaker.raw
    read -r level hz < <(od -An -v -td2 -w2 /tmp/speaker.raw | awk -v rate=8000 -f /test/tone.awk)
    echo "the loudspeaker plays $hz Hz at $level dB"
    if [ "$level" -lt -40 ] || [ "$hz" -lt $((AGENT_HZ * 95 / 100)) ] ||
        [ "$hz" -gt $((AGENT_HZ * 105 / 100)) ]; then
        fail "the loudspeaker does not play the agent's tone of $AGENT_HZ Hz"
    fi
}

# Which of camera and microphone delivers. vivid has a thread for as long as it
# does; an open file says nothing, because GStreamer 1.22 forgets to close one.
busy_devices() {
    ! grep -qs '^vivid-000-vid-c' /proc/[0-9]*/comm || echo "the camera"
    grep -q closed /proc/asound/Mic/pcm1c/sub0/status || echo "the microphone"
}

# Nothing may watch or listen outside a call.
expect_devices_idle() {
    local tries=0 busy
    while
        busy=$(busy_devices)
        [ -n "$busy" ]
    do
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || fail "$1 this is in use: ${busy//$'\n'/, }"
        sleep 0.5
    done
}

call() {
    gst-launch-1.0 -q --no-position audiotestsrc "freq=$KIOSK_HZ" volume=0.5 samplesperbuffer=4800 ! \
        audio/x-raw,format=S16LE,rate=48000,channels=2 ! alsasink device=hw:Mic,0 \
        >/tmp/tone.log 2>&1 &
    local tone=$! kiosk frames
    rtckiosk run --config "$config" >/tmp/kiosk.log 2>&1 &
    kiosk=$!
    await 60 '.session.state == "attract"'
    expect_devices_idle "before a call"
    rtckiosk ctl --config "$config" call
    await 120 '.session.state == "in_call" and .session.uplink == "up"
        and any(.downlinks[]; .frames >= 10)'
    frames=$(jq '[.downlinks[].frames] | add' /tmp/status.json)
    speaker_plays
    ask seen-and-heard
    await 20 "([.downlinks[].frames] | add) >= $frames + 20"
    jq -cM '{uplink, downlinks}' /tmp/status.json
    rtckiosk ctl --config "$config" hangup
    await 60 '.session.state == "attract"'
    expect_devices_idle "after the call"
    ask left

    # What the first call left behind must not keep the second from the devices.
    rtckiosk ctl --config "$config" call
    await 120 '.session.state == "in_call" and .session.uplink == "up"'
    [[ $(busy_devices) == *camera*microphone* ]] ||
        fail "camera and microphone are not both in use in the second call"
    rtckiosk ctl --config "$config" hangup
    await 60 '.session.state == "attract"'
    expect_devices_idle "after the second call"
    kill -TERM "$kiosk"
    wait "$kiosk" || fail "the kiosk ended with status $?"
    kill "$tone"
}

step devices
step check
step call
