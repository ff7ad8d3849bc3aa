//! Bad configurations and bad arguments, as their author meets them: what each program says
//! and how it exits.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use support::kiosk::{Kiosk, Setting, config};
use support::nginx::free_port;
use support::program::{Program, RTCKIOSK, RTCROOMD, run, written};
use support::server::{OWN_RELAY, Server};
use support::{PATIENCE, until_true};

mod keys;
#[path = "../support/mod.rs"]
mod support;

/// Mistakes in a text: line, column and key; the value as shown; what is allowed.
const KIOSK: [(&str, &str, &str); 8] = [
    ("1:8: name", r#""""#, "1 to 64 characters"),
    ("2:1: langauge", "", "did you mean language?"),
    ("3:15: runtime_dir", r#""here""#, "an absolute path"),
    (
        "5:14: room.server_url",
        r#""ftp://rooms""#,
        "https://rooms.example.com",
    ),
    ("6:21: room.heartbeat_seconds", "60", "from 1 to 12"),
    (
        "8:9: media.video.width",
        "641",
        "an even number from 160 to 1920",
    ),
    ("10:14: media.audio.microphone", r#""test:9""#, "50 to 8000"),
    ("12:11: display.backend", "true", r#""headless""#),
];
const KIOSK_TEXT: &str = r#"name = ""
langauge = "en"
runtime_dir = "here"
[room]
server_url = "ftp://rooms"
heartbeat_seconds = 60
[media.video]
width = 641
[media.audio]
microphone = "test:9"
[display]
backend = true
"#;

const SERVER: [(&str, &str, &str); 5] = [
    ("2:10: http.listen", r#""localhost:5757""#, "127.0.0.1:5757"),
    ("4:19: rooms.double_capacity", "1", "from 2 to 16"),
    (
        "6:12: relay.external.push_url",
        r#""http://x""#,
        "an RTMP URL",
    ),
    ("9:12: stream.push_key", "(hidden)", "8 or more"),
    ("10:1: stream.valid", "", "did you mean"),
];
const SERVER_TEXT: &str = r#"[http]
listen = "localhost:5757"
[rooms]
double_capacity = 1
[relay.external]
push_url = "http://x"
play_url = "rtmp://x/live/{stream}"
[stream]
push_key = "short"
valid_second = 5
"#;

/// One line for each wrong value, and an exit code that says so.
fn lists_all(program: &str, command: &[&str], text: &str, wrong: &[(&str, &str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let output = run(program, &[command, &["--config", path]].concat());
    let said = written(&output);
    assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with(path)).collect();
    assert_eq!(lines.len(), wrong.len(), "{command:?}: {said}");
    for (line, (place, value, allowed)) in lines.iter().zip(wrong) {
        assert!(
            line.starts_with(&format!("{path}:{place}")),
            "{line}: not {place}"
        );
        assert!(line.contains(value), "{line}: not {value}");
        assert!(line.contains(allowed), "{line}: not {allowed}");
    }
}

#[test]
fn each_wrong_value_has_its_line() {
    for command in ["check", "run", "agent", "status"] {
        lists_all(RTCKIOSK, &[command], KIOSK_TEXT, &KIOSK);
    }
    lists_all(RTCROOMD, &[], SERVER_TEXT, &SERVER);
}

/// Runs what must fail; returns its one line.
fn fails(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let said = written(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    // The log's first lines may precede it.
    said.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, b"\xff\xfe\x00").unwrap();
    for (path, reason) in [
        ("/nonexistent/k.toml", "No such file"),
        (folder.path().to_str().unwrap(), "Is a directory"),
        (binary.to_str().unwrap(), "UTF-8"),
    ] {
        for (program, command) in [
            (RTCKIOSK, vec!["run"]),
            (RTCKIOSK, vec!["status"]),
            (RTCROOMD, vec![]),
        ] {
            let said = fails(program, &[&command[..], &["--config", path]].concat());
            assert!(
                said.contains(path) && said.contains(reason),
                "{command:?}: {said}"
            );
            assert_eq!(said.matches(reason).count(), 1, "said twice: {said}");
        }
    }
}

#[test]
fn what_cannot_be_had_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), &Setting::kiosk("http://127.0.0.1:9/weapp"));
    let path = file.to_str().unwrap();
    let said = fails(RTCKIOSK, &["ctl", "call", "--config", path]);
    assert!(said.contains("is `rtckiosk run` running?"), "{said}");
    assert_eq!(said.matches("No such file").count(), 1, "{said}");

    // A file stands where the runtime directory should be.
    std::fs::write(folder.path().join("run-kiosk"), "").unwrap();
    let said = fails(RTCKIOSK, &["run", "--config", path]);
    assert!(
        said.contains("run-kiosk/control.sock cannot be made"),
        "{said}"
    );
    assert_eq!(said.matches("File exists").count(), 1, "{said}");

    let server = Server::start(OWN_RELAY);
    let taken = folder.path().join("taken.toml");
    let text = format!("[http]\nlisten = \"{}\"\n{OWN_RELAY}", server.address());
    std::fs::write(&taken, text).unwrap();
    let said = fails(RTCROOMD, &["--config", taken.to_str().unwrap()]);
    assert!(
        said.contains(server.address()) && said.contains("in use"),
        "{said}"
    );
}

#[test]
fn a_self_test_says_what_is_missing_and_what_works() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(OWN_RELAY);
    let check = |config: &Path| {
        let output = run(
            RTCKIOSK,
            &["check", "--json", "--config", config.to_str().unwrap()],
        );
        let test: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.success(), test["ok"] == true, "{test}");
        test
    };
    let config = config(folder.path(), &Setting::kiosk(&server.url));
    let test = check(&config);
    assert_eq!(test["verdict"], "ok", "{test}");
    let names: Vec<_> = test["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    for name in [
        "runtime directory",
        "camera",
        "microphone",
        "speaker",
        "screen",
        "relay",
    ] {
        assert!(names.contains(&name), "{name}: {test}");
    }

    // Where the daemon would run and wait for a device, a call can be made without it.
    let text = std::fs::read_to_string(&config).unwrap();
    let poorer = folder.path().join("poorer.toml");
    let without = text
        .replace("source = \"test\"", "source = \"/dev/video99\"")
        .replace("speaker = \"none\"", "speaker = \"hw:CARD=Absent\"");
    std::fs::write(&poorer, without).unwrap();
    let test = check(&poorer);
    assert_eq!(test["verdict"], "warning", "{test}");
    let of = |name: &str| {
        let mut checks = test["checks"].as_array().unwrap().iter();
        checks.find(|check| check["name"] == name).unwrap()["verdict"].clone()
    };
    assert_eq!(
        (of("camera"), of("speaker")),
        ("warning".into(), "warning".into()),
        "{test}"
    );
    assert_eq!(of("microphone"), "ok", "{test}");
    let strict = run(
        RTCKIOSK,
        &["check", "--strict", "--config", poorer.to_str().unwrap()],
    );
    assert_eq!(strict.status.code(), Some(1), "{}", written(&strict));

    // Where the daemon would not start, no call can be made.
    std::fs::write(folder.path().join("run-kiosk"), "").unwrap();
    let test = check(&config);
    assert_eq!(test["verdict"], "failure", "{test}");
    std::fs::remove_file(folder.path().join("run-kiosk")).unwrap();

    let text = std::fs::read_to_string(&config).unwrap();
    drop(server);
    let broken = text
        .replace("source = \"test\"", "source = \"/dev/video99\"")
        .replace("backend = \"headless\"", "backend = \"window\"");
    std::fs::write(&config, broken).unwrap();
    let mut command = Command::new(RTCKIOSK);
    command.args(["check", "--config"]).arg(&config);
    let output = command
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .unwrap();
    let said = written(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for failed in [
        "no camera: wanted /dev/video99, present: [",
        "FAIL screen: no desktop for a window",
        "FAIL room server: ",
    ] {
        assert!(said.contains(failed), "{said}");
    }
    assert!(said.ends_with("no call can be made\n"), "{said}");
}

/// Desktops that are named and do not answer, and a machine without a sound card: no program of ours
/// dies of them, and no library writes to the terminal.
#[test]
fn a_dead_desktop_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), &Setting::kiosk("http://127.0.0.1:9/weapp"));
    let text = std::fs::read_to_string(&file).unwrap();
    let run = |backend: &str, desktop: (&str, &str)| {
        let text = text.replace(
            "backend = \"headless\"",
            &format!("backend = \"{backend}\""),
        );
        std::fs::write(
            &file,
            text.replace("speaker = \"none\"", "speaker = \"auto\""),
        )
        .unwrap();
        let mut command = Command::new(RTCKIOSK);
        command.args(["check", "--config"]).arg(&file);
        for name in ["DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"] {
            command.env_remove(name);
        }
        let output = command.env(desktop.0, desktop.1).output().unwrap();
        let said = written(&output);
        assert_eq!(
            output.status.code(),
            Some(1),
            "the room server is dead: {said}"
        );
        for noise in ["AL lib", "ALSA lib", "directfb", "cannot open display"] {
            assert!(!said.contains(noise), "{said}");
        }
        said
    };
    for desktop in [
        ("DISPLAY", ":61234"),
        ("WAYLAND_DISPLAY", "/tmp/no-such-desktop"),
    ] {
        let why = format!(
            "no desktop for a window: {} = {:?} does not answer",
            desktop.0, desktop.1
        );
        let said = run("auto", desktop);
        assert!(said.contains(&format!("WARN screen: {why}")), "{said}");
        let said = run("window", desktop);
        assert!(said.contains(&format!("FAIL screen: {why}")), "{said}");
    }
}

/// `rtckiosk devices | head -1`, and a full disk.
#[test]
fn a_reader_who_goes_away_is_no_accident() {
    let shell = |line: &str| {
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", line, RTCKIOSK]);
        command.output().unwrap()
    };
    for command in ["\"$0\" devices | true", "\"$0\" check --json | true"] {
        let said = written(&shell(command));
        assert!(!said.contains("panicked"), "{command}: {said}");
    }
    let full = shell("\"$0\" devices > /dev/full");
    assert_eq!(full.status.code(), Some(1));
    let said = written(&full);
    assert!(said.contains("standard output: No space left"), "{said}");

    let folder = tempfile::tempdir().unwrap();
    let (file, port) = (folder.path().join("rtcroomd.toml"), free_port());
    let text = format!("[http]\nlisten = \"127.0.0.1:{port}\"\n{OWN_RELAY}");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("bash");
    command.args(["-c", "exec \"$0\" --config \"$1\" > /dev/full", RTCROOMD]);
    let mut server = Program::start("full-rtcroomd", folder.path(), command.arg(&file));
    until_true("the server listens", PATIENCE, || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    until_true("it says what is wrong", PATIENCE, || {
        server.err().contains("standard output: No space left")
    });
    assert!(server.runs());
}

/// Silly requests on the control socket are answered, or the caller is left alone; the daemon
/// goes on.
#[test]
fn nonsense_on_the_control_socket_is_refused() {
    let kiosk = Kiosk::start(&Setting::kiosk("http://127.0.0.1:9/weapp"));
    for (request, reason) in [
        (serde_json::json!("call"), "cannot be read"),
        (serde_json::json!({ "command": "explode" }), "explode"),
        (serde_json::json!({ "command": "message" }), "text"),
        (serde_json::json!({ "command": "call", "now": true }), "now"),
    ] {
        let answer = kiosk.ask(&request).unwrap();
        assert_eq!(answer["ok"], false, "{request}: {answer}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(reason), "{request}: {error}");
    }
    // A line beyond the limit, callers who say nothing, and one who is cut off.
    let long = serde_json::json!({ "command": "message", "text": "x".repeat(300_000) });
    let _ = kiosk.ask(&long);
    let idle: Vec<_> = (0..20)
        .map(|_| std::os::unix::net::UnixStream::connect(kiosk.socket()).unwrap())
        .collect();
    let answer = kiosk
        .ask(&serde_json::json!({ "command": "status" }))
        .unwrap();
    assert_eq!(
        answer["ok"], true,
        "silent callers lock nobody out: {answer}"
    );
    drop(idle);
}
