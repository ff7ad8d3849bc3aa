//! One side of a demo call: a kiosk or an agent, and the meter at its screen and loudspeaker.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::timeout;

use super::meter::Meter;
use crate::appliance::kiosk::Kiosk;
use crate::appliance::plan::Plan;
use crate::config::KioskConfig;
use crate::config::kiosk::{AudioSink, DisplayBackend};
use crate::display::DisplayHandle;
use crate::media::DownlinkStats;
use crate::protocol::RoomType;
use crate::session::{SessionHandle, Status, Transition};

/// Tone of each kind of side, hertz: they tell the sides apart.
const KIOSK_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 880.0;
/// Room that the agents meet in.
const ROOM: &str = "demo";
/// Longest time for a side to reach a state; everything is on this machine.
const STATE_DEADLINE: Duration = Duration::from_secs(20);

/// One side of the call.
#[derive(Debug)]
pub(crate) struct Side {
    /// The kiosk's program, which an agent runs too.
    kiosk: Kiosk,
    pub(super) display: DisplayHandle,
    pub(crate) meter: Meter,
    /// The tone that the other side makes.
    wanted_hz: f64,
}

/// Words of the configuration in which the sides differ.
struct Role<'a> {
    name: &'a str,
    user_id: &'a str,
    mode: &'static str,
    tone_hz: f64,
}

impl Side {
    /// Starts the kiosk, with a window and a loudspeaker unless it is to be `headless`.
    pub(super) async fn kiosk(room_type: RoomType, base_url: &str, headless: bool) -> Result<Self> {
        let role = Role {
            name: "Kiosk",
            user_id: "demo-kiosk",
            mode: "guest",
            tone_hz: KIOSK_HZ,
        };
        let mut plan = plan(&role, room_type, base_url)?;
        if !headless {
            plan.session.speaker = AudioSink::Auto;
            if let Some(display) = &mut plan.display {
                display.screen.backend = DisplayBackend::Auto;
            }
        }
        Self::metered(Kiosk::start(plan).await?, AGENT_HZ)
    }

    /// Starts the agent of this number.
    pub(super) async fn agent(number: u32, room_type: RoomType, base_url: &str) -> Result<Self> {
        let plan = agent_plan(number, room_type, base_url)?;
        Self::metered(Kiosk::start(plan).await?, KIOSK_HZ)
    }

    fn metered(kiosk: Kiosk, wanted_hz: f64) -> Result<Self> {
        let display = kiosk.display().context("a demo side has a screen")?;
        let meter = Meter::default();
        let seen = meter.clone();
        display.on_shown(move |_, sample| seen.shown(sample));
        Ok(Self {
            kiosk,
            display,
            meter,
            wanted_hz,
        })
    }

    pub(crate) fn session(&self) -> SessionHandle {
        self.kiosk.session()
    }

    pub(super) fn user_id(&self) -> String {
        self.kiosk.user_id().unwrap_or_default()
    }

    /// What the screen's status line says.
    pub(crate) fn line(&self) -> String {
        self.session().transitions().borrow().status_line()
    }

    /// The status of this side, and in particular of what it plays of the other.
    pub(super) async fn status(&self, other: &Self) -> Result<(Status, DownlinkStats)> {
        let mut status = self.session().status().await?;
        let played = status.downlinks.remove(&other.user_id());
        Ok((status, played.unwrap_or_default()))
    }

    /// Waits for a state of the session; `expected` says in an error what did not happen.
    pub(super) async fn wait_for(
        &self,
        expected: &str,
        reached: impl Fn(&Transition) -> bool,
    ) -> Result<()> {
        let mut transitions = self.session().transitions();
        let waited = timeout(STATE_DEADLINE, transitions.wait_for(|state| reached(state))).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => bail!("{expected}: the session has stopped"),
            Err(_) => bail!(
                "{expected}: not within {} s; {}",
                STATE_DEADLINE.as_secs(),
                self.line()
            ),
        }
    }

    /// Lets the meter take note of what is heard of the other side.
    pub(super) async fn listen(&self, other: &Self) -> Result<()> {
        let (_, played) = self.status(other).await?;
        self.meter.heard(&played.audio, self.wanted_hz);
        Ok(())
    }

    pub(super) async fn stop(self) {
        self.kiosk.stop().await;
    }
}

/// The plan of an agent that opens the room and waits in it.
pub(crate) fn agent_plan(number: u32, room_type: RoomType, base_url: &str) -> Result<Plan> {
    let role = Role {
        name: &format!("Agent {number}"),
        user_id: &format!("demo-agent-{number}"),
        mode: "host",
        tone_hz: AGENT_HZ,
    };
    let mut plan = plan(&role, room_type, base_url)?;
    plan.session.auto_call = true;
    plan.session.room_id = ROOM.to_owned();
    Ok(plan)
}

/// The plan of one side, from a configuration as an operator would write it: a test picture, a
/// tone, and no screen or loudspeaker but in snapshots and figures.
fn plan(role: &Role<'_>, room_type: RoomType, base_url: &str) -> Result<Plan> {
    let Role {
        name,
        user_id,
        mode,
        tone_hz,
    } = role;
    let text = format!(
        "name = \"{name}\"\n\
         [room]\nserver_url = \"{base_url}{room_type}\"\nuser_id = \"{user_id}\"\nmode = \"{mode}\"\n\
         [media.video]\nsource = \"test\"\n\
         [media.audio]\nmicrophone = \"test:{tone_hz}\"\nspeaker = \"none\"\nvolume = 20\n\
         [display]\nbackend = \"headless\"\nwidth = 960\nheight = 720\n"
    );
    let mut plan = Plan::from(&KioskConfig::parse("demo", &text)?)?;
    plan.session.capture.time_code = true;
    plan.session.patience.retry = Duration::from_millis(500);
    plan.room.timings.poll = Duration::from_millis(500);
    Ok(plan)
}
