//! The time until a receiver that joins shows its first picture.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::time::{sleep, timeout};

use super::playback::play;
use super::relay::Relay;
use crate::bench::tools::Spread;
use crate::config::ServerConfig;
use crate::demo::participants::Participants;
use crate::media::Uplink;
use crate::protocol::RoomType;
use crate::server::Settings;

/// Players that join one after the other.
const PLAYERS: u32 = 6;
/// Pause between them: each joins at another moment between two key frames.
const PAUSE: Duration = Duration::from_millis(1170);
/// Calls that are measured.
const CALLS: u32 = 3;
/// Longest time for a first picture.
const PICTURE_DEADLINE: Duration = Duration::from_secs(10);
/// Pause between two looks for the first picture of a call.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Measures players of the stream that `uplink` sends to `url`, from their start.
pub(super) async fn of_players(url: &str, uplink: &Uplink) -> Result<Spread> {
    let mut times = Vec::new();
    for _ in 0..PLAYERS {
        sleep(PAUSE).await;
        let begun = Instant::now();
        uplink.welcome();
        let player = play(url, None);
        let mut picture = player.picture();
        let first = timeout(PICTURE_DEADLINE, picture.wait_for(Option::is_some)).await;
        first.context("a player saw nothing")??;
        times.push(begun.elapsed());
        player.stop().await;
    }
    Ok(Spread::of(&times))
}

/// Measures kiosks in whole calls through `relay`, from entering the room.
pub(super) async fn of_calls(relay: &Relay) -> Result<Spread> {
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let call = Participants::start(settings(relay)?, RoomType::Double, true).await?;
        let time = of_call(&call).await;
        call.stop().await;
        times.push(time?);
    }
    Ok(Spread::of(&times))
}

async fn of_call(call: &Participants) -> Result<Duration> {
    let entered = call.connect().await?;
    while entered.elapsed() < PICTURE_DEADLINE {
        if let Some(first) = call.kiosk.meter.first_shown() {
            return Ok(first.saturating_duration_since(entered));
        }
        sleep(LOOK_EVERY).await;
    }
    Err(anyhow!("the kiosk saw nothing in a call"))
}

/// Settings of a room server whose streams go through `relay`.
fn settings(relay: &Relay) -> Result<Settings> {
    let url = relay.url("{stream}?{query}");
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[relay.external]\npush_url = \"{url}\"\nplay_url = \"{url}\"\n"
    );
    let config = ServerConfig::parse("bench", &text).map_err(|wrong| anyhow!("{wrong}"))?;
    Ok(Settings::load(&config)?)
}
