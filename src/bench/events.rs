//! `rtckiosk bench events`: the time that texts and members' comings and goings take from one room
//! client to another, through a room server in this process.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::tools::{Spread, print, unless_stopped};
use crate::appliance::run::block_on;
use crate::config::kiosk::{Credentials, Role};
use crate::protocol::RoomType;
use crate::room::{
    ChannelState, ClientSettings, EnterRoom, ImSettings, RoomEvent, RoomHandle, RoomSession,
    SessionSettings,
};
use crate::server::{RoomServer, Settings};

/// The options of the benchmark.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Texts from each client, and comings and goings of one.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Longest time that 95 of 100 may take, milliseconds, from docs/performance.md.
const TEXT_TARGET: f64 = 200.0;
const MEMBER_TARGET: f64 = 300.0;
/// Longest time for one step of either client.
const STEP_DEADLINE: Duration = Duration::from_secs(10);
/// Pauses between two texts of one client, and between coming and going: within the server's usual
/// limits per user.
const TEXT_PAUSE: Duration = Duration::from_millis(250);
const MEMBER_PAUSE: Duration = Duration::from_millis(400);
/// Events that may wait to be read: more than come in one step.
const EVENTS: usize = 64;
/// Room that the clients meet in.
const ROOM: &str = "bench";

/// The JSON of `rtckiosk bench events --json`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct EventReport {
    /// Whether 95 of 100 were as fast as wanted.
    ok: bool,
    /// Time from sending a text until the other client has it.
    text_ms: Spread,
    /// Time from entering, and from leaving, until the other client learns of it.
    joined_ms: Spread,
    left_ms: Spread,
}

impl EventReport {
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

impl std::fmt::Display for EventReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "texts       {}", self.text_ms)?;
        writeln!(f, "joined      {}", self.joined_ms)?;
        write!(f, "left        {}", self.left_ms)
    }
}

/// # Errors
/// Whatever kept it from measuring.
pub(super) fn run(options: &Options) -> Result<ExitCode> {
    let report = block_on(unless_stopped(measure(options.rounds)))?;
    print(&report, options.json, report.ok)
}

async fn measure(rounds: u32) -> Result<EventReport> {
    let server = RoomServer::bind(Settings::on_free_ports()?).await?;
    let base_url = format!("http://{}/weapp/", server.local_addr());
    let stop = CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    tokio::spawn(server.run(stop));
    let mut alice = Client::start(&base_url, "alice")?;
    let mut bob = Client::start(&base_url, "bob")?;
    let push_url = alice.handle.get_push_url(ROOM).await?;
    alice.enter(push_url, Role::Host).await?;
    alice.wait_for_channel().await?;
    let (mut joined, mut left) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        joined.push(bob.time_entering(&mut alice).await?);
        sleep(MEMBER_PAUSE).await;
        left.push(bob.time_leaving(&mut alice).await?);
        sleep(MEMBER_PAUSE).await;
    }
    bob.time_entering(&mut alice).await?;
    bob.wait_for_channel().await?;
    let mut texts = Vec::new();
    for round in 0..rounds {
        let text = format!("text {round}");
        texts.push(alice.time_text(&text, &mut bob).await?);
        texts.push(bob.time_text(&text, &mut alice).await?);
        sleep(TEXT_PAUSE).await;
    }
    Ok(EventReport::of(&texts, &joined, &left))
}

/// One room client.
#[derive(Debug)]
struct Client {
    user_id: &'static str,
    handle: RoomHandle,
    events: mpsc::Receiver<RoomEvent>,
}

impl Client {
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

    async fn enter(&self, push_url: String, role: Role) -> Result<()> {
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

    /// Waits until messages of the room come.
    async fn wait_for_channel(&self) -> Result<()> {
        let mut snapshot = self.handle.snapshot();
        let joined = snapshot.wait_for(|state| state.channel.state == ChannelState::Joined);
        let waited = timeout(STEP_DEADLINE, joined).await;
        let what = || format!("{} has no message channel", self.user_id);
        waited.with_context(what)?.with_context(what)?;
        Ok(())
    }

    /// Time from entering until the observer learns of it; the push URL is there before.
    async fn time_entering(&mut self, observer: &mut Self) -> Result<Duration> {
        self.forget_events();
        let push_url = self.handle.get_push_url(ROOM).await?;
        let start = Instant::now();
        let is_me = |event: &RoomEvent| matches!(event, RoomEvent::MemberJoined(member) if member.user_id == self.user_id);
        let (entered, seen) = tokio::join!(
            self.enter(push_url, Role::Guest),
            observer.wait_for_event("joined", is_me)
        );
        entered?;
        Ok(seen? - start)
    }

    /// Time from leaving until the observer learns of it.
    async fn time_leaving(&mut self, observer: &mut Self) -> Result<Duration> {
        let start = Instant::now();
        let is_me = |event: &RoomEvent| matches!(event, RoomEvent::MemberLeft(member) if member.user_id == self.user_id);
        let (left, seen) =
            tokio::join!(self.handle.leave(), observer.wait_for_event("left", is_me));
        left?;
        Ok(seen? - start)
    }

    /// Drops the events that came meanwhile: they are of no interest, and must not fill the queue.
    fn forget_events(&mut self) {
        while self.events.try_recv().is_ok() {}
    }

    /// Time from sending a text until the receiver has it.
    async fn time_text(&self, text: &str, receiver: &mut Self) -> Result<Duration> {
        let start = Instant::now();
        let is_it = |event: &RoomEvent| matches!(event, RoomEvent::TextReceived(message) if message.text == text);
        let (sent, received) = tokio::join!(
            self.handle.send_text(text),
            receiver.wait_for_event(text, is_it)
        );
        sent?;
        Ok(received? - start)
    }

    /// Waits for an event and passes over all others; the moment at which it came.
    async fn wait_for_event(
        &mut self,
        what: &str,
        is_it: impl Fn(&RoomEvent) -> bool,
    ) -> Result<Instant> {
        let waited = timeout(STEP_DEADLINE, async {
            while let Some(event) = self.events.recv().await {
                if is_it(&event) {
                    return Some(Instant::now());
                }
            }
            None
        });
        let came = waited
            .await
            .with_context(|| format!("{} has no event: {what}", self.user_id))?;
        came.context("a room session ended")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_kind_is_enough_to_miss_the_targets() {
        let [fast, slow] = [10, 250].map(|ms| [Duration::from_millis(ms)]);
        assert!(EventReport::of(&fast, &slow, &fast).ok);
        assert!(!EventReport::of(&slow, &fast, &fast).ok);
        let slower = [Duration::from_millis(301)];
        assert!(!EventReport::of(&fast, &slower, &fast).ok);
        assert!(!EventReport::of(&fast, &fast, &slower).ok);
    }
}
