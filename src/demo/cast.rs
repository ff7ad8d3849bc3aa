//! Who takes part in a demo call: the room server, the kiosk, and one agent or three.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::meter::Meter;
use crate::appliance::kiosk::Kiosk;
use crate::appliance::plan::Plan;
use crate::config::KioskConfig;
use crate::config::kiosk::{AudioSink, DisplayBackend};
use crate::display::DisplayHandle;
use crate::protocol::RoomType;
use crate::room::ChannelState;
use crate::server::{RoomServer, Settings as ServerSettings};
use crate::session::{Request, SessionHandle};

/// Tones that tell the sides apart, hertz.
const KIOSK_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 880.0;
/// Room the agents meet in.
const ROOM: &str = "demo";

/// One side of the call.
#[derive(Debug)]
pub(crate) struct Player {
    kiosk: Kiosk,
    display: DisplayHandle,
    pub(crate) meter: Meter,
    /// The tone that the other side makes.
    wanted_hz: f64,
}

/// Everyone in the call, and the server between them.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) kiosk: Player,
    agents: Vec<Player>,
    room_type: RoomType,
    base_url: String,
    server: JoinHandle<()>,
    stop: CancellationToken,
}

impl Cast {
    /// Starts a server on free ports, one agent, and the kiosk; nobody calls yet.
    pub(crate) async fn assemble(room_type: RoomType, headless: bool) -> Result<Self> {
        Self::assemble_at(ServerSettings::on_free_ports()?, room_type, headless).await
    }

    /// The same with a server of these settings.
    pub(crate) async fn assemble_at(
        server: ServerSettings,
        room_type: RoomType,
        headless: bool,
    ) -> Result<Self> {
        let server = RoomServer::bind(server).await?;
        let base_url = format!("http://{}/weapp/", server.local_addr());
        let stop = CancellationToken::new();
        let server = tokio::spawn(server.run(stop.clone()));
        let agent = Player::agent(1, room_type, &base_url).await?;
        let kiosk = Player::kiosk(room_type, &base_url, headless).await?;
        Ok(Self {
            kiosk,
            agents: vec![agent],
            room_type,
            base_url,
            server,
            stop,
        })
    }

    /// The agent whom the kiosk calls.
    pub(crate) fn agent(&self) -> &Player {
        &self.agents[0]
    }

    /// In a room of four, two more agents join.
    pub(crate) async fn others_enter(&mut self) -> Result<()> {
        if self.room_type == RoomType::Multi {
            for number in 2..=3 {
                self.agents
                    .push(Player::agent(number, self.room_type, &self.base_url).await?);
            }
        }
        Ok(())
    }

    /// Lets both sides take note of what they hear.
    pub(crate) async fn listen(&self) -> Result<()> {
        self.kiosk.listen(&self.agent().user_id()).await?;
        self.agent().listen(&self.kiosk.user_id()).await
    }

    /// Lets kiosk and agent say a text to each other, as soon as both hear the room.
    pub(crate) async fn greet(&self) -> Result<bool> {
        for player in [&self.kiosk, self.agent()] {
            let status = player.session().status().await?;
            if status.room.channel.state != ChannelState::Joined {
                return Ok(false);
            }
        }
        let say = |text: &str| Request::Message {
            text: text.to_owned(),
        };
        self.kiosk.session().request(say("Good morning")).await?;
        self.agent()
            .session()
            .request(say("How can I help?"))
            .await?;
        Ok(true)
    }

    pub(crate) async fn leave_stage(self) {
        self.kiosk.kiosk.stop().await;
        for agent in self.agents {
            agent.kiosk.stop().await;
        }
        self.stop.cancel();
        if let Err(error) = self.server.await {
            log::error!("the room server ended badly: {error}");
        }
    }
}

impl Player {
    async fn kiosk(room_type: RoomType, base_url: &str, headless: bool) -> Result<Self> {
        let mut plan = plan(
            "Kiosk",
            "demo-kiosk",
            "guest",
            KIOSK_HZ,
            room_type,
            base_url,
        )?;
        if !headless {
            plan.session.speaker = AudioSink::Auto;
            plan.display = plan.display.map(|mut display| {
                display.screen.backend = DisplayBackend::Auto;
                display
            });
        }
        Self::watch(Kiosk::start(plan).await?, AGENT_HZ)
    }

    async fn agent(number: u32, room_type: RoomType, base_url: &str) -> Result<Self> {
        let plan = agent(number, room_type, base_url)?;
        Self::watch(Kiosk::start(plan).await?, KIOSK_HZ)
    }

    fn watch(kiosk: Kiosk, wanted_hz: f64) -> Result<Self> {
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

    pub(crate) fn display(&self) -> &DisplayHandle {
        &self.display
    }

    pub(crate) fn user_id(&self) -> String {
        self.kiosk.user_id().unwrap_or_default()
    }

    /// The state in one line.
    pub(crate) fn line(&self) -> String {
        self.session().transitions().borrow().to_string()
    }

    async fn listen(&self, to: &str) -> Result<()> {
        if let Some(downlink) = self.session().status().await?.downlinks.get(to) {
            self.meter.heard(&downlink.audio, self.wanted_hz);
        }
        Ok(())
    }
}

/// The plan of an agent who opens the room and waits in it.
pub(crate) fn agent(number: u32, room_type: RoomType, base_url: &str) -> Result<Plan> {
    let (name, user_id) = (format!("Agent {number}"), format!("demo-agent-{number}"));
    let mut plan = plan(&name, &user_id, "host", AGENT_HZ, room_type, base_url)?;
    plan.session.auto_call = true;
    plan.session.room_id = ROOM.to_owned();
    Ok(plan)
}

/// The plan of one side, from a configuration as an operator would write it: a test picture, a
/// tone, and no screen or loudspeaker but in snapshots and figures.
fn plan(
    name: &str,
    user_id: &str,
    mode: &str,
    hz: f64,
    room_type: RoomType,
    base_url: &str,
) -> Result<Plan> {
    let text = format!(
        "name = \"{name}\"\n\
         [room]\nserver_url = \"{base_url}{room_type}\"\nuser_id = \"{user_id}\"\nmode = \"{mode}\"\n\
         [media.video]\nsource = \"test\"\n\
         [media.audio]\nmicrophone = \"test:{hz}\"\nspeaker = \"none\"\nvolume = 20\n\
         [display]\nbackend = \"headless\"\nwidth = 960\nheight = 720\n"
    );
    let mut plan = Plan::from(&KioskConfig::parse("demo", &text)?)?;
    plan.session.capture.time_code = true;
    plan.session.patience.retry = Duration::from_millis(500);
    plan.room.timings.poll = Duration::from_millis(500);
    Ok(plan)
}
