//! Collects the figures of both sides into the report of a call.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::participants::Participants;
use super::report::{
    AudioReport, CallReport, DownlinkReport, LatencyReport, PictureReport, RoomReport, UplinkReport,
};
use super::side::Side;

/// The report of a call that began at `entered`; the pictures are put beside the file `path`.
pub(super) async fn collect(
    participants: &Participants,
    entered: Instant,
    events: Vec<String>,
    path: Option<&Path>,
) -> Result<CallReport> {
    let seconds = entered.elapsed().as_secs_f64();
    let pictures = pictures(path, participants);
    let (kiosk, agent) = (&participants.kiosk, participants.agent());
    let (kiosk_status, seen_by_kiosk) = kiosk.status(agent).await?;
    let (agent_status, seen_by_agent) = agent.status(kiosk).await?;
    let (kiosk_room, agent_room) = (kiosk_status.room, agent_status.room);
    let sent = kiosk_status.uplink.unwrap_or_default();
    let report = CallReport {
        ok: false,
        failures: vec![],
        seconds,
        room_type: participants.room_type,
        uplink: UplinkReport {
            encoder: sent.encoder,
            frames: seen_by_agent.frames,
            fps: seen_by_agent.fps,
            kbps: sent.kbps.round() as u64,
            reconnects: sent.reconnects,
        },
        downlink: DownlinkReport {
            frames: seen_by_kiosk.frames,
            fps: seen_by_kiosk.fps,
            first_frame_ms: first_frame_ms(kiosk, entered),
            freezes: seen_by_kiosk.freezes,
        },
        latency_ms: LatencyReport {
            uplink: agent.meter.latency(),
            downlink: kiosk.meter.latency(),
        },
        audio: AudioReport {
            uplink_heard: agent.meter.has_heard(),
            downlink_heard: kiosk.meter.has_heard(),
        },
        room: RoomReport {
            heartbeats_ok: kiosk_room.heartbeats_ok + agent_room.heartbeats_ok,
            heartbeats_failed: kiosk_room.heartbeats_failed + agent_room.heartbeats_failed,
            events,
            messages_received: kiosk_room.channel.messages_received,
        },
        pictures,
    };
    Ok(report.judged())
}

fn first_frame_ms(kiosk: &Side, entered: Instant) -> Option<u64> {
    let time = kiosk
        .meter
        .first_shown()?
        .saturating_duration_since(entered);
    u64::try_from(time.as_millis()).ok()
}

/// Keeps what both screens show, beside the report.
fn pictures(report: Option<&Path>, participants: &Participants) -> PictureReport {
    let keep = |side: &Side, suffix: &str| {
        let report = report?;
        let stem = report.file_stem()?.to_string_lossy();
        let path = report.with_file_name(format!("{stem}-{suffix}.png"));
        match side.display.snapshot_png(&path) {
            Ok(()) => Some(path.display().to_string()),
            Err(error) => {
                log::warn!("{error}");
                None
            }
        }
    };
    PictureReport {
        kiosk_screen: keep(&participants.kiosk, "kiosk"),
        agent_view: keep(participants.agent(), "agent"),
    }
}
