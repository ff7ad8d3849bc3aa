//! A whole call on one machine: room server with relay, agent and kiosk in one process, on
//! free ports, measured where a person would see and hear.

pub(crate) mod cast;
pub(crate) mod meter;
pub mod report;
mod summary;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tokio::time::{interval, timeout};

use crate::appliance::run::{block_on, stop_signal};
use crate::process::output;
use crate::protocol::RoomType;
use crate::session::{Request, Transition};
use cast::{Cast, Player};
use report::{
    AudioReport, DownlinkReport, LatencyReport, PictureReport, Report, RoomReport, UplinkReport,
};

/// How the demo is to run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// No window: the screens are only kept for the pictures of the report.
    #[arg(long)]
    headless: bool,
    /// Length of the call; without it the call lasts until Ctrl-C.
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(3..=86_400))]
    seconds: Option<u64>,
    /// Where to write the JSON report; the pictures are put beside it.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Rooms of two, or of four: then three agents take part.
    #[arg(long, value_enum, default_value_t = Rooms::Double)]
    room_type: Rooms,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rooms {
    Double,
    Multi,
}

impl Rooms {
    pub(crate) fn room_type(self) -> RoomType {
        match self {
            Self::Double => RoomType::Double,
            Self::Multi => RoomType::Multi,
        }
    }
}

/// For a side to get where it should be; a call has everything on this machine.
const STEP_DEADLINE: Duration = Duration::from_secs(20);
/// Between two looks at the figures: sound is measured in blocks of about this length.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Looks between two prints of the summary.
const LOOKS_PER_PRINT: u32 = 5;

/// `rtckiosk demo`: exit code 0 only if both sides saw and heard each other.
///
/// # Errors
/// What kept the call from taking place.
pub fn run(options: &Options) -> Result<ExitCode> {
    crate::process::journal::start(log::LevelFilter::Warn);
    block_on(call(options))
}

async fn call(options: &Options) -> Result<ExitCode> {
    let mut file = report_file(options.report.as_deref())?;
    let mut cast = Cast::assemble(options.room_type.room_type(), options.headless).await?;
    let made = measure(options, &mut cast).await;
    cast.leave_stage().await;
    let report = made?;
    let text = serde_json::to_string_pretty(&report)?;
    match &mut file {
        Some(file) => writeln!(file, "{text}"),
        None => output::print(&format!("{text}\n")),
    }
    .context("the report cannot be written")?;
    for failure in &report.failures {
        eprintln!("rtckiosk demo: {failure}");
    }
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Opens the report's file before the call, so that nobody waits for a report that cannot be
/// written, and an old one is not taken for this call's.
fn report_file(path: Option<&Path>) -> Result<Option<File>> {
    path.map(|path| {
        File::create(path)
            .with_context(|| format!("the report {} cannot be written", path.display()))
    })
    .transpose()
}

/// Makes the call and watches it.
async fn measure(options: &Options, cast: &mut Cast) -> Result<Report> {
    wait_for(cast.agent(), "the agent opens a room", |state| {
        matches!(state, Transition::InCall { .. })
    })
    .await?;
    let kiosk = &cast.kiosk;
    wait_for(kiosk, "the kiosk logs in", |state| {
        matches!(state, Transition::Attract)
    })
    .await?;
    kiosk.session().request(Request::Call).await?;
    wait_for(kiosk, "the kiosk enters the agent's room", |state| {
        matches!(state, Transition::InCall { .. })
    })
    .await?;
    let entered = Instant::now();
    cast.others_enter().await?;
    let mut events = RoomEvents::default();
    watch(options, cast, entered, &mut events).await?;
    report(options, cast, entered, events.list).await
}

/// Waits until a side is where it should be.
pub(crate) async fn wait_for(
    player: &Player,
    what: &str,
    reached: impl Fn(&Transition) -> bool,
) -> Result<()> {
    let mut transitions = player.session().transitions();
    let waited = timeout(STEP_DEADLINE, transitions.wait_for(|state| reached(state))).await;
    match waited {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => bail!("{what}: the session has stopped"),
        Err(_) => bail!(
            "{what}: not within {} s; {}",
            STEP_DEADLINE.as_secs(),
            player.line()
        ),
    }
}

/// Follows the call until its time is over, somebody presses Ctrl-C, or it ends.
async fn watch(
    options: &Options,
    cast: &Cast,
    entered: Instant,
    events: &mut RoomEvents,
) -> Result<()> {
    let mut looks = interval(LOOK_EVERY);
    let mut count = 0_u32;
    let mut transitions = cast.kiosk.session().transitions();
    let mut greeted = false;
    let stop = stop_signal();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            stopped = &mut stop => return stopped,
            _ = looks.tick() => {}
        }
        events.follow(&transitions.borrow_and_update());
        cast.listen().await?;
        greeted = greeted || cast.greet().await?;
        if !options.headless && count.is_multiple_of(LOOKS_PER_PRINT) {
            let screen = summary::screen(cast, entered, &events.list).await?;
            output::print(&screen).context("standard output")?;
        }
        count += 1;
        let over = options
            .seconds
            .is_some_and(|s| entered.elapsed() >= Duration::from_secs(s));
        if over || !matches!(&*transitions.borrow(), Transition::InCall { .. }) {
            return Ok(());
        }
    }
}

/// What the kiosk is told about members, as Tencent's clients name it.
#[derive(Debug, Default)]
struct RoomEvents {
    members: BTreeSet<String>,
    list: Vec<String>,
}

impl RoomEvents {
    fn follow(&mut self, transition: &Transition) {
        let Transition::InCall { members, .. } = transition else {
            return;
        };
        let now: BTreeSet<_> = members.keys().cloned().collect();
        self.list.extend(
            now.difference(&self.members)
                .map(|_| "pusher_join".to_owned()),
        );
        self.list.extend(
            self.members
                .difference(&now)
                .map(|_| "pusher_quit".to_owned()),
        );
        self.members = now;
    }
}

async fn report(
    options: &Options,
    cast: &Cast,
    entered: Instant,
    events: Vec<String>,
) -> Result<Report> {
    let seconds = entered.elapsed().as_secs_f64();
    let pictures = pictures(options.report.as_deref(), cast);
    let (kiosk, agent) = (
        cast.kiosk.session().status().await?,
        cast.agent().session().status().await?,
    );
    let seen_by_agent = agent
        .downlinks
        .get(&cast.kiosk.user_id())
        .cloned()
        .unwrap_or_default();
    let seen_by_kiosk = kiosk
        .downlinks
        .get(&cast.agent().user_id())
        .cloned()
        .unwrap_or_default();
    let sent = kiosk.uplink.unwrap_or_default();
    let first_shown = cast.kiosk.meter.first_shown();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, small"
    )]
    let report = Report {
        ok: false,
        failures: vec![],
        seconds,
        room_type: options.room_type.room_type().path(),
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
            first_frame_ms: first_shown
                .map(|shown| shown.saturating_duration_since(entered).as_millis() as u64),
            freezes: seen_by_kiosk.freezes,
        },
        latency_ms: LatencyReport {
            uplink: cast.agent().meter.latency(),
            downlink: cast.kiosk.meter.latency(),
        },
        audio: AudioReport {
            uplink_heard: cast.agent().meter.has_heard(),
            downlink_heard: cast.kiosk.meter.has_heard(),
        },
        room: RoomReport {
            heartbeats_ok: kiosk.room.heartbeats_ok + agent.room.heartbeats_ok,
            heartbeats_failed: kiosk.room.heartbeats_failed + agent.room.heartbeats_failed,
            events,
            messages_received: kiosk.room.channel.messages_received,
        },
        pictures,
    };
    Ok(report.judged())
}

/// Keeps what both screens show, beside the report.
fn pictures(report: Option<&Path>, cast: &Cast) -> PictureReport {
    let keep = |player: &Player, suffix: &str| {
        let report = report?;
        let stem = report.file_stem()?.to_string_lossy();
        let path = report.with_file_name(format!("{stem}-{suffix}.png"));
        match player.display().snapshot_png(&path) {
            Ok(()) => Some(path.display().to_string()),
            Err(error) => {
                log::warn!("{error}");
                None
            }
        }
    };
    PictureReport {
        kiosk_screen: keep(&cast.kiosk, "kiosk"),
        agent_view: keep(cast.agent(), "agent"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::session::{CallMember, Link};

    #[test]
    fn joining_and_leaving_are_told_once() {
        let in_call = |ids: &[&str]| Transition::InCall {
            room_id: "r".into(),
            uplink: Link::Up,
            members: ids
                .iter()
                .map(|id| {
                    let member = CallMember {
                        name: (*id).into(),
                        downlink: Link::Up,
                    };
                    ((*id).to_owned(), member)
                })
                .collect::<BTreeMap<_, _>>(),
            room_server_reachable: true,
            muted: false,
            said: None,
        };
        let mut events = RoomEvents::default();
        for state in [
            in_call(&[]),
            in_call(&["a"]),
            in_call(&["a"]),
            in_call(&["b"]),
        ] {
            events.follow(&state);
        }
        assert_eq!(events.list, ["pusher_join", "pusher_join", "pusher_quit"]);
    }
}
