//! How long it takes until one that joins sees something.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::time::{sleep, timeout};

use super::relay::Relay;
use super::{Spread, play};
use crate::config::ServerConfig;
use crate::demo::cast::Cast;
use crate::demo::wait_for;
use crate::media::Uplink;
use crate::protocol::RoomType;
use crate::server::Settings;
use crate::session::{Request, Transition};

/// Players that join one after the other, each at another moment between two key frames.
const PLAYERS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(1170);
const CALLS: u32 = 3;
/// For a first picture.
const PATIENCE: Duration = Duration::from_secs(10);

/// Of players of what `uplink` sends to `url`, from their start.
pub(super) async fn players(url: &str, uplink: &Uplink) -> Result<Spread> {
    let mut times = Vec::new();
    for _ in 0..PLAYERS {
        sleep(PAUSE).await;
        let begun = Instant::now();
        uplink.welcome();
        let player = play(url, None);
        let mut picture = player.picture();
        let first = timeout(PATIENCE, picture.wait_for(Option::is_some)).await;
        first.context("a player saw nothing")??;
        times.push(begun.elapsed());
        player.stop().await;
    }
    Ok(Spread::of(&times))
}

/// Of kiosks in whole calls through `relay`, from entering the room.
pub(super) async fn calls(relay: &Relay) -> Result<Spread> {
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let cast = Cast::assemble_at(settings(relay)?, RoomType::Double, true).await?;
        let time = call(&cast).await;
        cast.leave_stage().await;
        times.push(time?);
    }
    Ok(Spread::of(&times))
}

async fn call(cast: &Cast) -> Result<Duration> {
    wait_for(cast.agent(), "the agent opens a room", |state| {
        matches!(state, Transition::InCall { .. })
    })
    .await?;
    wait_for(&cast.kiosk, "the kiosk logs in", |state| {
        matches!(state, Transition::Attract)
    })
    .await?;
    cast.kiosk.session().request(Request::Call).await?;
    wait_for(&cast.kiosk, "the kiosk enters the room", |state| {
        matches!(state, Transition::InCall { .. })
    })
    .await?;
    let entered = Instant::now();
    while entered.elapsed() < PATIENCE {
        if let Some(first) = cast.kiosk.meter.first_shown() {
            return Ok(first.saturating_duration_since(entered));
        }
        sleep(Duration::from_millis(5)).await;
    }
    Err(anyhow!("the kiosk saw nothing in a call"))
}

/// A room server whose streams go through `relay`.
fn settings(relay: &Relay) -> Result<Settings> {
    let url = relay.url("{stream}?{query}");
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[relay.external]\npush_url = \"{url}\"\nplay_url = \"{url}\"\n"
    );
    let config = ServerConfig::parse("bench", &text).map_err(|wrong| anyhow!("{wrong}"))?;
    Ok(Settings::load(&config)?)
}
