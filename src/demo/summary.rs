//! The demo's one screen of live figures in a terminal.

use std::time::Instant;

use anyhow::Result;

use super::latency::Latency;
use super::participants::Participants;
use super::side::Side;

/// Clears the terminal and puts the cursor at its top.
const HOME: &str = "\x1b[2J\x1b[H";
/// Newest room events that are shown: they fit on one line.
const EVENTS: usize = 5;

/// State, rates, delay and events of both sides.
pub(super) async fn screen(
    participants: &Participants,
    entered: Instant,
    events: &[String],
) -> Result<String> {
    let seconds = entered.elapsed().as_secs();
    let (kiosk, agent) = (&participants.kiosk, participants.agent());
    let (kiosk, agent) = (
        figures("kiosk", kiosk, agent).await?,
        figures("agent", agent, kiosk).await?,
    );
    let newest = events[events.len().saturating_sub(EVENTS)..].join(", ");
    Ok(format!(
        "{HOME}rtckiosk demo: {seconds} s in call, Ctrl-C ends it\n\n{kiosk}\n{agent}\nevents  {newest}\n"
    ))
}

async fn figures(name: &str, side: &Side, other: &Side) -> Result<String> {
    let (status, shown) = side.status(other).await?;
    let sent = status.uplink.unwrap_or_default();
    let Latency { p50, p95, .. } = side.meter.latency();
    let heard = if side.meter.has_heard() {
        "heard"
    } else {
        "not heard yet"
    };
    Ok(format!(
        "{name}   {}\n  sends  {:>5.1} fps {:>6.0} kbit/s  {}  backlog {:.0} ms, {} reconnects\n  \
         shows  {:>5.1} fps {:>6.0} kbit/s  delay p50 {p50:.0} ms p95 {p95:.0} ms, {} freezes, \
         sound {heard}\n",
        side.line(),
        sent.fps,
        sent.kbps,
        sent.encoder,
        sent.backlog_ms,
        sent.reconnects,
        shown.fps,
        shown.kbps,
        shown.freezes,
    ))
}
