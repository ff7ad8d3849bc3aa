//! A whole call: the agent speaks, the kiosk's loudspeaker leaks into its microphone, and what
//! agents hear of themselves depends on the kiosk's configuration alone.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::room::{Room, free_port, listening, send};
use crate::speech::{Path, speech};
use crate::support::PATIENCE;
use crate::support::kiosk::{Kiosk, Setting};
use crate::support::program::RTCKIOSK;
use crate::support::server::{OWN_RELAY, Server};

/// A kiosk whose sound goes other ways than the setting says.
fn kiosk(setting: &Setting<'_>, audio: &str) -> Kiosk {
    let mut kiosk = Kiosk::start(setting);
    let text = std::fs::read_to_string(&kiosk.config).unwrap();
    let usual = format!(
        "microphone = \"test:{}\"\nspeaker = \"none\"",
        setting.tone_hz
    );
    assert!(text.contains(&usual), "{text}");
    std::fs::write(&kiosk.config, text.replace(&usual, audio)).unwrap();
    kiosk.program.kill();
    kiosk.restart();
    kiosk
}

/// Somebody who speaks without end to whoever listens at a port; silent when dropped.
struct Speaking(Arc<AtomicBool>);

impl Speaking {
    fn to(port: u16) -> Self {
        let on = Arc::new(AtomicBool::new(true));
        let speaks = Arc::clone(&on);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        std::thread::spawn(move || {
            let words = speech(5, 20.0);
            let (begun, mut block) = (Instant::now(), Duration::ZERO);
            for samples in words.chunks_exact(480).cycle() {
                if !speaks.load(Ordering::Relaxed) {
                    break;
                }
                send(&socket, port, samples);
                block += Duration::from_millis(10);
                std::thread::sleep(block.saturating_sub(begun.elapsed()));
            }
        });
        Self(on)
    }
}

impl Drop for Speaking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The mean level of what the agent hears for three seconds, in dB below full scale.
fn agent_hears(agent: &Kiosk) -> f64 {
    let powers: Vec<f64> = (0..30)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            let level = &agent.status()["downlinks"]["kiosk"]["audio"]["rms_db"];
            10f64.powf(level.as_f64().unwrap() / 10.0)
        })
        .collect();
    10.0 * (powers.iter().sum::<f64>() / powers.len() as f64).log10()
}

/// Opens the agent's room again.
fn host(agent: &Kiosk) {
    if agent.state() == "in_call" {
        agent.ask(&json!({ "command": "hangup" })).unwrap();
    }
    agent.until_state("attract", PATIENCE);
    let answer = agent.ask(&json!({ "command": "host" })).unwrap();
    assert_eq!(answer["ok"], true, "{answer}");
    agent.until_state("in_call", PATIENCE);
}

#[test]
fn the_agent_does_not_hear_himself() {
    let server = Server::start(OWN_RELAY);
    let port = free_port();
    let setting = Setting::agent(&server.url);
    let microphone = listening(port);
    let agent = kiosk(
        &setting,
        &format!(
            "microphone = \"gst:{microphone}\"\nspeaker = \"none\"\n\
             gain_control = false\nnoise_suppression = false"
        ),
    );
    let _speaking = Speaking::to(port);
    let mut heard = Vec::new();
    for mode in ["off", "cancel", "half-duplex"] {
        let room = Room::open(Path::new(30, -6.0));
        let (microphone, speaker) = (room.microphone(), room.speaker());
        let kiosk = kiosk(
            &Setting::kiosk(&server.url),
            &format!(
                "microphone = \"gst:{microphone}\"\nspeaker = \"gst:{speaker}\"\n\
                 echo_cancellation = \"{mode}\"\ngain_control = false"
            ),
        );
        host(&agent);
        kiosk.call("agent");
        agent.until_seen("kiosk");
        std::thread::sleep(Duration::from_secs(2));
        heard.push(agent_hears(&agent));
        let echo = &kiosk.status()["echo"];
        println!("{mode}: the agent hears {heard:.1?} dB of themselves, {echo}");
        assert_eq!(echo["mode"], mode.replace('-', "_"), "{echo}");
        assert_eq!(echo["reason"], Value::Null, "{echo}");
        let answer = kiosk.ask(&json!({ "command": "hangup" })).unwrap();
        assert_eq!(answer["ok"], true, "{answer}");
        kiosk.until_state("attract", PATIENCE);
    }
    assert!(heard[0] > -45.0, "the room leaks: {heard:?}");
    assert!(heard[1] < heard[0] - 20.0, "{heard:?}");
    assert!(heard[2] < heard[0] - 20.0, "{heard:?}");
}

#[test]
fn an_image_without_the_canceller_says_that_it_is_half_duplex() {
    rtckiosk::media::init().unwrap();
    let here = gstreamer::Registry::get().find_plugin("webrtcdsp").unwrap();
    let here = here.filename().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    for entry in here.parent().unwrap().read_dir().unwrap() {
        let file = entry.unwrap().path();
        if file != here && file.is_file() {
            std::os::unix::fs::symlink(&file, plugins.join(file.file_name().unwrap())).unwrap();
        }
    }
    let config = folder.path().join("kiosk.toml");
    let text = "[media.video]\nsource = \"test\"\n[media.audio]\nmicrophone = \"test\"\n\
                speaker = \"none\"\necho_cancellation = \"cancel\"\n\
                [display]\nbackend = \"headless\"\n[room]\nserver_url = \"http://127.0.0.1:9/\"\n";
    std::fs::write(&config, text).unwrap();
    let check = |plugins: Option<&std::path::Path>| {
        let mut command = Command::new("timeout");
        command
            .arg("60")
            .arg(RTCKIOSK)
            .arg("check")
            .arg("--config")
            .arg(&config);
        if let Some(plugins) = plugins {
            command
                .env("GST_PLUGIN_SYSTEM_PATH_1_0", plugins)
                .env("GST_REGISTRY_1_0", folder.path().join("registry"));
        }
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let with = check(None);
    assert!(with.contains("ok   echo: is cancelled\n"), "{with}");
    let without = check(Some(&plugins));
    let reason = "WARN echo: half duplex: GStreamer elements are missing: \
                  webrtcdsp (gstreamer1.0-plugins-bad)";
    assert!(without.contains(reason), "{without}");
    assert!(without.contains("ok   microphone: open"), "{without}");
}
