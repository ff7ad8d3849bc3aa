//! `rtckiosk bench events`: how long texts and members' comings and goings take from one room
//! client to another, by a room server in this process.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{print, spread::Spread};
use crate::appliance::run::{block_on, stop_signal};
use crate::config::kiosk::{Credentials, Role};
use crate::protocol::RoomType;
use crate::room::{
    ChannelState, ClientSettings, EnterRoom, ImSettings, RoomEvent, RoomHandle, RoomSession,
    SessionSettings,
};
use crate::server::{RoomServer, Settings};

/// How often.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Texts from each side, and comings and goings of one.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What 95 of 100 may take, milliseconds.
const TEXT_TARGET: f64 = 200.0;
const MEMBER_TARGET: f64 = 300.0;
/// For one step of either side.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two texts of one side, and between coming and going: within the server's usual limits
/// per user.
const TEXT_PAUSE: Duration = Duration::from_millis(250);
const MEMBER_PAUSE: Duration = Duration::from_millis(400);
const EVENTS: usize = 64;
const ROOM: &str = "bench";

/// The JSON of `rtckiosk bench events --json`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Report {
    /// 95 of 100 were as fast as wanted.
    ok: bool,
    /// From saying a text to hearing it.
    text_ms: Spread,
    /// From entering to being seen by the other, and from leaving to not being seen.
    joined_ms: Spread,
    left_ms: Spread,
}

impl Report {
    fn of(text: &[Duration], joined: &[Duration], left: &[Duration]) -> Self {
        let [text_ms, joined_ms, left_ms] = [text, joined, left].map(Spread::of);
        Self {
            ok: text_ms.p95 <= TEXT_TARGET
                && joined_ms.p95 <= MEMBER_TARGET
                && left_ms.p95 <= MEMBER_TARGET,
            text_ms,
            joined_ms,
            left_ms,
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "texts       {}", self.text_ms)?;
        writeln!(f, "joined      {}", self.joined_ms)?;
        write!(f, "left        {}", self.left_ms)
    }
}

/// # Errors
/// What kept it from measuring.
pub(super) fn run(options: &Options) -> Result<ExitCode> {
    let report = block_on(async {
        tokio::select! {
            report = measure(options.rounds) => report,
            stopped = stop_signal() => {
                stopped?;
                bail!("stopped before the end");
            }
        }
    })?;
    print(&report, options.json, report.ok)
}

async fn measure(rounds: u32) -> Result<Report> {
    let server = RoomServer::bind(Settings::on_free_ports()?).await?;
    let base_url = format!("http://{}/weapp/", server.local_addr());
    let stop = CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    tokio::spawn(server.run(stop));
    let mut alice = Side::start(&base_url, "alice")?;
    let mut bob = Side::start(&base_url, "bob")?;
    alice.enter(Role::Host).await?;
    alice.until_joined().await?;
    let (mut joined, mut left) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        joined.push(bob.enters_before(&mut alice).await?);
        sleep(MEMBER_PAUSE).await;
        left.push(bob.leaves_before(&mut alice).await?);
        sleep(MEMBER_PAUSE).await;
    }
    bob.enters_before(&mut alice).await?;
    bob.until_joined().await?;
    let mut texts = Vec::new();
    for round in 0..rounds {
        let text = format!("text {round}");
        texts.push(alice.says(&text, &mut bob).await?);
        texts.push(bob.says(&text, &mut alice).await?);
        sleep(TEXT_PAUSE).await;
    }
    Ok(Report::of(&texts, &joined, &left))
}

/// One room client.
#[derive(Debug)]
struct Side {
    user_id: &'static str,
    handle: RoomHandle,
    events: mpsc::Receiver<RoomEvent>,
}

impl Side {
    fn start(base_url: &str, user_id: &'static str) -> Result<Self> {
        let mut settings = SessionSettings::new(ClientSettings::new(base_url, RoomType::Double));
        settings.im = Some(ImSettings::as_told(&base_url.parse()?));
        let credentials = Credentials::GetLoginInfo {
            user_id: Some(user_id.to_owned()),
        };
        let (sender, events) = mpsc::channel(EVENTS);
        Ok(Self {
            user_id,
            handle: RoomSession::start(&settings, credentials, sender)?,
            events,
        })
    }

    async fn enter(&self, role: Role) -> Result<()> {
        let push_url = self.handle.get_push_url(ROOM).await?;
        self.enter_with(push_url, role).await
    }

    async fn enter_with(&self, push_url: String, role: Role) -> Result<()> {
        let room = EnterRoom {
            room_id: ROOM.to_owned(),
            room_info: ROOM.to_owned(),
            role,
            user_name: self.user_id.to_owned(),
            user_avatar: String::new(),
            push_url,
        };
        Ok(self.handle.enter(room).await?)
    }

    /// Until messages of the room come.
    async fn until_joined(&self) -> Result<()> {
        let mut snapshot = self.handle.snapshot();
        let joined = snapshot.wait_for(|state| state.channel.state == ChannelState::Joined);
        let waited = timeout(PATIENCE, joined).await;
        let what = || format!("{} has no message channel", self.user_id);
        waited.with_context(what)?.with_context(what)?;
        Ok(())
    }

    /// Time from entering until the other side is told; the push URL is there before.
    async fn enters_before(&mut self, other: &mut Self) -> Result<Duration> {
        self.forget_events();
        let push_url = self.handle.get_push_url(ROOM).await?;
        let start = Instant::now();
        let is_me = |event: &RoomEvent| matches!(event, RoomEvent::MemberJoined(who) if who.user_id == self.user_id);
        let (entered, told) = tokio::join!(
            self.enter_with(push_url, Role::Guest),
            other.told("joined", is_me)
        );
        entered?;
        Ok(told? - start)
    }

    /// Time from leaving until the other side is told.
    async fn leaves_before(&mut self, other: &mut Self) -> Result<Duration> {
        let start = Instant::now();
        let is_me = |event: &RoomEvent| matches!(event, RoomEvent::MemberLeft(who) if who.user_id == self.user_id);
        let (left, told) = tokio::join!(self.handle.leave(), other.told("left", is_me));
        left?;
        Ok(told? - start)
    }

    /// What this side was told meanwhile is of no interest, and must not fill its queue.
    fn forget_events(&mut self) {
        while self.events.try_recv().is_ok() {}
    }

    /// Time from saying a text until the other side hears it.
    async fn says(&self, text: &str, other: &mut Self) -> Result<Duration> {
        let start = Instant::now();
        let is_it = |event: &RoomEvent| matches!(event, RoomEvent::TextReceived(message) if message.text == text);
        let (said, heard) = tokio::join!(self.handle.send_text(text), other.told(text, is_it));
        said?;
        Ok(heard? - start)
    }

    /// When the event came; all others are passed over.
    async fn told(&mut self, what: &str, is_it: impl Fn(&RoomEvent) -> bool) -> Result<Instant> {
        let waited = timeout(PATIENCE, async {
            while let Some(event) = self.events.recv().await {
                if is_it(&event) {
                    return Some(Instant::now());
                }
            }
            None
        });
        let told = waited
            .await
            .with_context(|| format!("{} is not told: {what}", self.user_id))?;
        told.context("a room session ended")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_kind_is_enough_to_miss_the_targets() {
        let [fast, slow] = [10, 250].map(|ms| [Duration::from_millis(ms)]);
        assert!(Report::of(&fast, &slow, &fast).ok);
        assert!(!Report::of(&slow, &fast, &fast).ok);
        let slower = [Duration::from_millis(301)];
        assert!(!Report::of(&fast, &slower, &fast).ok);
        assert!(!Report::of(&fast, &fast, &slower).ok);
    }
}
