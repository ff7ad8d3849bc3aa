//! Devices and status as text for a technician's terminal.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::media::codecs::{CodecTrial, Kind, Outcome};
use crate::media::devices::{
    CameraControl, CameraDevice, CameraMode, DeviceList, OwnH264Report, SoundDevice,
};

/// The device list as a table.
#[must_use]
pub fn devices(list: &DeviceList) -> String {
    let mut out = String::new();
    section(&mut out, "Cameras", list.cameras.iter().map(camera));
    section(&mut out, "Microphones", list.microphones.iter().map(sound));
    section(&mut out, "Speakers", list.speakers.iter().map(sound));
    section(
        &mut out,
        "Displays",
        list.displays.iter().map(|display| {
            let state = if display.connected {
                "connected"
            } else {
                "not connected"
            };
            let mode = display.modes.first().map_or("", String::as_str);
            format!("{:<24} {state} {mode}", display.connector)
        }),
    );
    for kind in Kind::ALL {
        let trials = list.codecs.iter().filter(|trial| trial.kind == kind);
        section(
            &mut out,
            &format!("{}s, best first", kind.name()),
            trials.map(codec),
        );
    }
    section(
        &mut out,
        "GPIO",
        list.gpio_chips.iter().map(|chip| {
            format!(
                "{:<24} {} ({} lines)",
                chip.path.display(),
                chip.label,
                chip.lines.len()
            )
        }),
    );
    out
}

fn section(out: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    let none = if lines.peek().is_none() { ": none" } else { "" };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{title}{none}");
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
}

/// A camera with a line for each format, and one for what can be set.
fn camera(camera: &CameraDevice) -> String {
    let mut text = format!(
        "{:<24} {} ({}, {})",
        camera.path.display(),
        camera.name,
        camera.driver,
        camera.bus
    );
    let mut formats: Vec<_> = camera.modes.iter().map(|mode| mode.format).collect();
    formats.dedup();
    for format in formats {
        let sizes = sizes(camera.modes.iter().filter(|mode| mode.format == format));
        let _ = write!(text, "\n    {format} {sizes}");
    }
    match &camera.own_h264 {
        Some(OwnH264Report::Usable(detail)) => {
            let _ = write!(text, "\n    own H.264: usable, {detail}");
        }
        Some(OwnH264Report::Refused(reason)) => {
            let _ = write!(text, "\n    own H.264: refused, {reason}");
        }
        None => {}
    }
    if !camera.controls.is_empty() {
        let controls: Vec<_> = camera.controls.iter().map(control).collect();
        let _ = write!(text, "\n    controls: {}", controls.join(", "));
    }
    text
}

/// Sizes in the camera's order, each with its best rate: "640x480@30 1280x720@29.9".
fn sizes<'a>(modes: impl Iterator<Item = &'a CameraMode>) -> String {
    let mut sizes: Vec<((u32, u32), u64)> = Vec::new();
    for mode in modes {
        let (size, rate) = ((mode.width, mode.height), mode.tenths_fps());
        match sizes.iter_mut().find(|(known, _)| *known == size) {
            Some((_, best)) => *best = rate.max(*best),
            None => sizes.push((size, rate)),
        }
    }
    let sizes = sizes.into_iter().map(|((width, height), rate)| {
        let tenth = match rate % 10 {
            0 => String::new(),
            tenth => format!(".{tenth}"),
        };
        format!("{width}x{height}@{}{tenth}", rate / 10)
    });
    sizes.collect::<Vec<_>>().join(" ")
}

/// A control of a camera with its value and range; a button has neither.
fn control(control: &CameraControl) -> String {
    let CameraControl { name, min, max, .. } = control;
    if min == max {
        return name.clone();
    }
    let value = control
        .value
        .map_or("?".to_owned(), |value| value.to_string());
    format!("{name} {value} ({min} to {max})")
}

fn codec(trial: &CodecTrial) -> String {
    let (state, detail) = match &trial.outcome {
        Outcome::Untried => ("untried", ""),
        Outcome::Works(detail) => ("works", detail.as_str()),
        Outcome::Refused(reason) => ("refused", reason.as_str()),
    };
    format!("{:<24} {state:<8} {detail}", trial.element)
}

/// A sound device with a line for its mixer.
fn sound(device: &SoundDevice) -> String {
    let rates = match device.rates {
        Some((low, high)) => format!("{low} to {high} Hz"),
        None => "in use".to_owned(),
    };
    let mut text = format!("{:<32} {} ({rates})", device.device, device.name);
    if !device.mixer.is_empty() {
        let controls = device.mixer.iter().map(|control| {
            let volume = control
                .volume
                .map_or(String::new(), |volume| format!(" {volume} %"));
            let muted = if control.muted == Some(true) {
                " muted"
            } else {
                ""
            };
            format!("{}{volume}{muted}", control.name)
        });
        let _ = write!(
            text,
            "\n    mixer: {}",
            controls.collect::<Vec<_>>().join(", ")
        );
    }
    text
}

/// Parts that a technician looks for first; those that are not listed come last.
const FIRST: [&str; 6] = [
    "session",
    "in_state_seconds",
    "warnings",
    "events",
    "uplink",
    "downlinks",
];

/// The daemon's status as indented lines.
#[must_use]
pub fn status(status: &Value) -> String {
    let mut out = String::new();
    let Value::Object(fields) = status else {
        lines(&mut out, status, 0);
        return out;
    };
    let mut parts: Vec<_> = fields.iter().collect();
    let place = |name: &str| FIRST.iter().position(|first| *first == name);
    // Of what was tried at the start there is much, and it hardly ever matters.
    parts.sort_by_key(|(name, _)| (*name == "codecs", place(name).unwrap_or(FIRST.len())));
    for (name, value) in parts {
        let part = Map::from_iter([(name.clone(), value.clone())]);
        lines(&mut out, &Value::Object(part), 0);
    }
    out
}

fn lines(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let entry = |out: &mut String, name: &str, value: &Value| match value {
        Value::Object(fields) if fields.contains_key("total") => {
            let _ = writeln!(out, "{indent}{name}: {}", sum(fields));
        }
        Value::Object(fields) if !fields.is_empty() => {
            let _ = writeln!(out, "{indent}{name}:");
            lines(out, value, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            let _ = writeln!(out, "{indent}{name}:");
            lines(out, value, depth + 1);
        }
        Value::String(text) => {
            let _ = writeln!(out, "{indent}{name}: {text}");
        }
        Value::Null | Value::Object(_) | Value::Array(_) => {
            let _ = writeln!(out, "{indent}{name}: none");
        }
        other => {
            let _ = writeln!(out, "{indent}{name}: {other}");
        }
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| entry(out, name, value)),
        Value::Array(items) => items.iter().for_each(|value| match value {
            Value::String(text) => {
                let _ = writeln!(out, "{indent}{text}");
            }
            other => entry(out, "-", other),
        }),
        other => entry(out, "value", other),
    }
}

/// The stages of a delay, in the order in which media pass them.
const STAGES: [&str; 8] = [
    "capture", "encode", "queue", "kernel", "network", "decode", "hold", "buffer",
];

/// A delay with its stages: "queue 0.2 + decode 3.1 = 3.3".
fn sum(stages: &Map<String, Value>) -> String {
    let place = |name: &str| STAGES.iter().position(|stage| *stage == name);
    let mut named: Vec<_> = stages
        .iter()
        .filter(|(name, value)| *name != "total" && !value.is_null())
        .collect();
    // What is not listed comes last.
    named.sort_by_key(|(name, _)| place(name).unwrap_or(STAGES.len()));
    let terms: Vec<_> = named
        .into_iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let total = stages.get("total").unwrap_or(&Value::Null);
    format!("{} = {total}", terms.join(" + "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::media::devices::{MixerControl, PixelFormat};

    #[test]
    fn status_begins_with_the_call_and_ends_with_the_trials() {
        let text = status(&json!({"codecs": 1, "room": 2, "session": 3, "uplink": 4, "events": 5}));
        assert_eq!(
            text,
            "session: 3\nevents: 5\nuplink: 4\nroom: 2\ncodecs: 1\n"
        );
    }

    #[test]
    fn status_is_readable() {
        let text = status(&json!({"a": {"b": 1.5, "c": null}, "d": ["x"], "e": []}));
        assert_eq!(text, "a:\n  b: 1.5\n  c: none\nd:\n  x\ne: none\n");
    }

    #[test]
    fn a_camera_tells_its_modes_and_a_sound_card_its_mixer() {
        let mode = |format, (width, height), fps| CameraMode {
            format,
            width,
            height,
            fps,
        };
        let list = DeviceList {
            cameras: vec![CameraDevice {
                path: "/dev/video0".into(),
                name: "Webcam".to_owned(),
                driver: "uvcvideo".to_owned(),
                bus: "usb-1".to_owned(),
                modes: vec![
                    mode(PixelFormat::Yuyv, (640, 480), (15, 1)),
                    mode(PixelFormat::Yuyv, (640, 480), (30, 1)),
                    mode(PixelFormat::Yuyv, (1280, 720), (10, 1)),
                    mode(PixelFormat::Mjpeg, (1280, 720), (30_000, 1001)),
                ],
                controls: vec![
                    CameraControl {
                        name: "Brightness".to_owned(),
                        id: 0x0098_0900,
                        min: 0,
                        max: 255,
                        step: 1,
                        default: 128,
                        value: Some(100),
                    },
                    CameraControl {
                        name: "Force Key Frame".to_owned(),
                        id: 0x0099_09e5,
                        min: 0,
                        max: 0,
                        step: 0,
                        default: 0,
                        value: None,
                    },
                ],
                own_h264: Some(OwnH264Report::Refused("it makes none".to_owned())),
            }],
            microphones: vec![SoundDevice {
                device: "hw:CARD=U,DEV=0".to_owned(),
                name: "USB: Audio".to_owned(),
                rates: Some((8000, 48_000)),
                mixer: vec![MixerControl {
                    name: "Mic".to_owned(),
                    volume: Some(62),
                    muted: Some(true),
                }],
            }],
            ..DeviceList::default()
        };
        let text = devices(&list);
        for line in [
            "    YUYV 640x480@30 1280x720@10\n",
            "    MJPG 1280x720@29.9\n",
            "    own H.264: refused, it makes none\n",
            "    controls: Brightness 100 (0 to 255), Force Key Frame\n",
            "USB: Audio (8000 to 48000 Hz)\n    mixer: Mic 62 % muted\n",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
        let json = serde_json::to_value(&list).expect("plain data");
        assert_eq!(json["cameras"][0]["controls"][0]["value"], 100);
        assert_eq!(json["cameras"][0]["own_h264"]["state"], "refused");
        assert_eq!(json["microphones"][0]["mixer"][0]["muted"], true);
    }

    #[test]
    fn a_delay_is_a_sum_of_its_stages() {
        let picture = json!({"total": 3.3, "decode": 3.1, "queue": 0.2, "network": null});
        let sound = json!({"device": 40.0, "buffer": 20.5, "total": 60.5});
        let text = status(&json!({"delay_ms": {"picture": picture, "sound": sound}}));
        assert_eq!(
            text,
            "delay_ms:\n  picture: queue 0.2 + decode 3.1 = 3.3\n  sound: buffer 20.5 + device 40.0 = 60.5\n"
        );
    }

    #[test]
    fn a_machine_without_devices_says_so() {
        let text = devices(&DeviceList::default());
        assert!(
            text.starts_with("Cameras: none\nMicrophones: none\n"),
            "{text}"
        );
    }
}
