//! ffmpeg as the other member: a peer that shares no line of code with the kiosk.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::kiosk::{Kiosk, Setting};
use crate::support::program::{Program, run, written};
use crate::support::server::{OWN_RELAY, Server};
use crate::support::{PATIENCE, turn, until_grown, until_true};

const SECONDS: &str = "6";

/// A file to push: five seconds of picture and sound.
fn film(path: &Path) {
    let sources = "-f lavfi -i testsrc2=size=320x240:rate=25 -f lavfi -i sine=frequency=660";
    let codecs =
        "-t 5 -c:v libx264 -preset ultrafast -bf 0 -g 25 -pix_fmt yuv420p -c:a aac -ar 44100";
    let mut arguments = vec!["-v", "error"];
    arguments.extend(sources.split(' ').chain(codecs.split(' ')));
    arguments.push(path.to_str().unwrap());
    let output = run("ffmpeg", &arguments);
    assert!(output.status.success(), "{}", written(&output));
}

#[test]
fn ffmpeg_is_a_member_like_any_other() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let [film_path, recording] = ["film.flv", "recording.flv"].map(|name| folder.path().join(name));
    film(&film_path);
    let server = Server::start(OWN_RELAY);
    let kiosk = Kiosk::start(&Setting {
        room: "mode = \"host\"\nroom_id = \"branch\"\n",
        ..Setting::kiosk(&server.url)
    });
    kiosk.until_state("attract", PATIENCE);
    kiosk.ask(&json!({ "command": "call" })).unwrap();
    kiosk.until_state("in_call", PATIENCE);

    let mut command = Command::new("bash");
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/call/ffmpeg-member.sh"
        ))
        .args([&server.url, "branch", SECONDS])
        .args([&film_path, &recording]);
    let mut member = Program::start("ffmpeg-member", folder.path(), &mut command);
    until_grown("the kiosk sees ffmpeg", PATIENCE, 75, || {
        kiosk.frames_of("ffmpeg")
    });
    let status = kiosk.status();
    let film = &status["downlinks"]["ffmpeg"];
    assert_eq!(
        (&film["width"], &film["height"]),
        (&json!(320), &json!(240)),
        "{status}"
    );
    until_true("the kiosk hears the film", PATIENCE, || {
        let heard = kiosk.status()["downlinks"]["ffmpeg"]["audio"]["tone_hz"].as_f64();
        heard.is_some_and(|hz| (hz - 660.0).abs() < 15.0)
    });
    let status = member.ended(PATIENCE);
    assert!(status.success(), "{status}");
    until_true("the kiosk is alone again", PATIENCE, || {
        kiosk.status()["downlinks"]
            .as_object()
            .is_some_and(serde_json::Map::is_empty)
    });
    assert_eq!(kiosk.state(), "in_call", "a host waits for the next one");
    plays_with_both_tracks(&recording);
}

fn plays_with_both_tracks(recording: &Path) {
    let path = recording.to_str().unwrap();
    let probe = "-v error -count_frames -show_streams -of json".split(' ');
    let output = run("ffprobe", &probe.chain([path]).collect::<Vec<_>>());
    let probed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stream = |kind: &str| {
        let streams = probed["streams"].as_array().unwrap();
        let found = streams.iter().find(|stream| stream["codec_type"] == kind);
        found
            .unwrap_or_else(|| panic!("no {kind}: {probed}"))
            .clone()
    };
    let frames = |stream: &Value| {
        stream["nb_read_frames"]
            .as_str()
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    let (video, audio) = (stream("video"), stream("audio"));
    assert_eq!(
        (&video["codec_name"], &audio["codec_name"]),
        (&json!("h264"), &json!("aac"))
    );
    assert_eq!(
        (&video["width"], &video["height"]),
        (&json!(320), &json!(240))
    );
    // Six seconds at 30 frames, and at 44100 or 48000 Hz in frames of 1024.
    assert!(frames(&video) > 120, "{video}");
    assert!(frames(&audio) > 200, "{audio}");
    let played = run(
        "ffmpeg",
        &["-v", "error", "-xerror", "-i", path, "-f", "null", "-"],
    );
    assert!(
        played.status.success() && played.stderr.is_empty(),
        "{}",
        written(&played)
    );
    let loudness = run(
        "ffmpeg",
        &["-i", path, "-af", "volumedetect", "-f", "null", "-"],
    );
    let text = written(&loudness);
    let db = text
        .split("mean_volume: ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let db: f64 = db.unwrap_or_else(|| panic!("{text}")).parse().unwrap();
    assert!(db > -45.0, "the recording is silent: {db} dB");
}
