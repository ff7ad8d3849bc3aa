//! Devices and status as text for a technician's terminal.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::media::codecs::{Kind, Outcome, Trial};
use crate::media::devices::{Camera, DeviceList, SoundDevice};

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

fn camera(camera: &Camera) -> String {
    let mut line = format!(
        "{:<24} {} ({}, {})",
        camera.path.display(),
        camera.name,
        camera.driver,
        camera.bus
    );
    let largest = camera
        .modes
        .iter()
        .max_by_key(|mode| mode.width * mode.height);
    if let Some(mode) = largest {
        let _ = write!(
            line,
            ", {} modes up to {}x{}",
            camera.modes.len(),
            mode.width,
            mode.height
        );
    }
    line
}

fn codec(trial: &Trial) -> String {
    let (state, detail) = match &trial.outcome {
        Outcome::Untried => ("untried", ""),
        Outcome::Works(detail) => ("works", detail.as_str()),
        Outcome::Refused(reason) => ("refused", reason.as_str()),
    };
    format!("{:<24} {state:<8} {detail}", trial.element)
}

fn sound(device: &SoundDevice) -> String {
    let rates = match device.rates {
        Some((low, high)) => format!("{low} to {high} Hz"),
        None => "in use".to_owned(),
    };
    format!("{:<32} {} ({rates})", device.device, device.name)
}

/// The daemon's status as indented lines.
#[must_use]
pub fn status(status: &Value) -> String {
    let mut out = String::new();
    lines(&mut out, status, 0);
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

    #[test]
    fn status_is_readable() {
        let text = status(&json!({"a": {"b": 1.5, "c": null}, "d": ["x"], "e": []}));
        assert_eq!(text, "a:\n  b: 1.5\n  c: none\nd:\n  x\ne: none\n");
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
