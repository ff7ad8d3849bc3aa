#!/usr/bin/env bash
# A member of a room made of curl and ffmpeg:
#   ffmpeg-member.sh SERVER ROOM SECONDS FILM RECORDING
# logs in to the room server (its URL ends in /weapp), enters the room while it pushes FILM over
# and over, records the first other member for so many SECONDS, and leaves.
set -euo pipefail
server=$1 room=$2 seconds=$3 film=$4 recording=$5
user=ffmpeg

fail() {
    echo "ffmpeg-member: $*" >&2
    exit 1
}

# ask VERB BODY: prints the answer; anything but code 0 is the end.
ask() {
    local answer
    answer=$(curl -fsS --max-time 5 --json "$2" \
        "$server/double_room/$1?userID=$user&token=$token") || fail "$1 is not answered"
    jq -e '.code == 0' <<<"$answer" >/dev/null || fail "$1: $answer"
    printf '%s\n' "$answer"
}

# patiently WHAT COMMAND...: until the command succeeds, for ten seconds at the most.
patiently() {
    local what=$1 deadline=$((SECONDS + 10))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "$what: not within 10 s"
        sleep 0.1
    done
}

info=$(curl -fsS --max-time 5 "$server/utils/get_login_info?userID=$user")
login=$(jq -r '@uri "sdkAppID=\(.sdkAppID)&accountType=\(.accType)&userID=\(.userID)&userSig=\(.userSig)"' <<<"$info")
token=$(curl -fsS --max-time 5 --json '{}' "$server/double_room/login?$login" | jq -er .token)
body=$(jq -nc --arg room "$room" --arg user "$user" '{ roomID: $room, userID: $user }')

push_url=$(ask get_push_url "$body" | jq -er .pushURL)
progress=$(mktemp)
ffmpeg -v error -re -stream_loop -1 -i "$film" -c copy -progress "$progress" -stats_period 0.2 \
    -f flv "$push_url" &
pusher=$!
beater=
finish() {
    kill "$pusher" ${beater:+"$beater"} 2>/dev/null || true
    wait || true
    rm -f "$progress"
}
trap finish EXIT
pushing() {
    kill -0 "$pusher" 2>/dev/null || fail "the relay does not take the film"
    grep -q '^frame=[1-9]' "$progress"
}
patiently "pushing the film" pushing

ask add_pusher "$(jq -c --arg url "$push_url" \
    '. + { roomInfo: "", userName: "ffmpeg", userAvatar: "", pushURL: $url }' <<<"$body")" >/dev/null
while sleep 5; do
    ask pusher_heartbeat "$body" >/dev/null
done &
beater=$!

other() {
    play_url=$(ask get_pushers "$body" |
        jq -er --arg user "$user" 'first(.pushers[] | select(.userID != $user)).accelerateURL')
}
patiently "somebody else in the room" other
ffmpeg -v error -y -rw_timeout 5000000 -i "$play_url" -t "$seconds" -c copy "$recording"

ask delete_pusher "$body" >/dev/null
