//! `rtckiosk bench` on a small scale: it measures, and leaves nothing behind.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::program::{Program, RTCKIOSK, run, written};
use crate::support::{PATIENCE, turn, until, until_true};

fn report(arguments: &[&str]) -> Value {
    let arguments = [&["bench"], arguments, &["--json"]].concat();
    let output = run(RTCKIOSK, &arguments);
    assert!(output.status.success(), "{}", written(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_small_load_is_served_without_a_failure() {
    let _turn = turn();
    // The speed is for a machine that does nothing else.
    let load = [
        "server",
        "--members",
        "41",
        "--seconds",
        "7",
        "--p99-ms",
        "5000",
    ];
    let report = report(&[&load[..], &["--room-type", "multi"]].concat());
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(report["heartbeats_failed"], 0, "{report}");
    assert_eq!(report["polls_failed"], 0, "{report}");
    // Each beats once in 7 s, give or take a jitter.
    let beats = report["heartbeat_ms"]["n"].as_u64().unwrap();
    assert!((30..=50).contains(&beats), "{report}");
    assert!(report["server"]["cpu_percent"].as_f64() > Some(0.0));
    assert!(report["server"]["bytes_per_member"].as_u64() > Some(0));
}

#[test]
fn texts_and_members_arrive() {
    let _turn = turn();
    let report = report(&["events", "--rounds", "3"]);
    for (what, wanted) in [("text_ms", 6), ("joined_ms", 3), ("left_ms", 3)] {
        assert_eq!(report[what]["n"], wanted, "{report}");
        assert!(report[what]["p50"].as_f64() > Some(0.0), "{report}");
    }
}

/// Whether it is as quick as promised only an idle machine can tell; here it must measure.
#[test]
fn the_age_of_pictures_and_sound_is_measured_beside_ffmpeg() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("delay.json");
    let path = path.to_str().unwrap();
    let bench = ["bench", "media", "delay", "--seconds", "6", "--json", path];
    let output = run(RTCKIOSK, &bench);
    let text = std::fs::read(path).unwrap_or_else(|_| panic!("{}", written(&output)));
    let report: Value =
        serde_json::from_slice(&text).unwrap_or_else(|_| panic!("{}", written(&output)));
    assert_eq!(report["ok"], output.status.success(), "{report}");
    for direction in ["uplink", "downlink"] {
        let direction = &report[direction];
        for receiver in ["ours", "ffmpeg_low_latency"] {
            assert!(
                direction[receiver]["age_ms"]["n"].as_u64() > Some(50),
                "{report}"
            );
        }
        assert!(direction["ours"]["first_picture_ms"].as_f64() > Some(0.0));
    }
    for what in [
        "mouth_to_ear_ms",
        "first_picture_ms",
        "call_first_picture_ms",
    ] {
        assert!(report[what]["n"].as_u64() > Some(1), "{what}: {report}");
    }
    let total = |stages: &str| report[stages]["picture"]["total"].as_f64();
    assert!(total("uplink_stages") > Some(0.0), "{report}");
    assert!(total("downlink_stages") > Some(0.0), "{report}");
}

#[test]
fn the_server_ends_however_the_bench_ends() {
    let _turn = turn();
    for signal in ["TERM", "KILL"] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(RTCKIOSK);
        command.args(["bench", "server", "--members", "4"]);
        let mut bench = Program::start("bench", folder.path(), &mut command);
        let server = until("the server runs", PATIENCE, || child_of(bench.id()));
        bench.signal(signal);
        assert!(!bench.ended(PATIENCE).success());
        until_true("the server has ended", Duration::from_secs(5), || {
            !is_running(&server)
        });
    }
}

/// The process id of the room server that a process has started.
fn child_of(parent: u32) -> Option<String> {
    let output = run("pgrep", &["-x", "-P", &parent.to_string(), "rtcroomd"]);
    let pid = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    Some(pid).filter(|pid| !pid.is_empty())
}

/// A process that has ended and is not yet buried has no command line.
fn is_running(pid: &str) -> bool {
    let command = std::fs::read(Path::new("/proc").join(pid).join("cmdline"));
    command.is_ok_and(|command| !command.is_empty())
}
