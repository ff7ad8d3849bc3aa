//! Who takes part in a demo call: the room server, the kiosk, and one agent or three.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::meter::Meter;
use crate::appliance::wiring::Kiosk;
use crate::display::{Backend, Corner, DisplayConfig, DisplayHandle};
use crate::media::{
    AudioSink, AudioSource, CameraConfig, CaptureConfig, EncoderChoice, Reconnect, VideoSource,
    VoiceConfig,
};
use crate::protocol::RoomType;
use crate::room::{ChannelState, ClientSettings, Credentials, ImSettings, SessionSettings};
use crate::server::{RoomServer, Settings as ServerSettings};
use crate::session::{Outgoing, Patience, Role, SessionHandle, Settings, UplinkProfile};
use crate::tls::ClientTls;

/// Tones that tell the sides apart, hertz.
const KIOSK_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 880.0;
/// Room the agents meet in.
const ROOM: &str = "demo";

/// One side of the call.
#[derive(Debug)]
pub(super) struct Player {
    kiosk: Kiosk,
    display: DisplayHandle,
    pub(super) meter: Meter,
    /// The tone that the other side makes.
    wanted_hz: f64,
}

/// Everyone in the call, and the server between them.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) kiosk: Player,
    agents: Vec<Player>,
    room_type: RoomType,
    base_url: String,
    server: JoinHandle<()>,
    stop: CancellationToken,
}

impl Cast {
    /// Starts a server on free ports, one agent, and the kiosk; nobody calls yet.
    pub(super) async fn assemble(room_type: RoomType, headless: bool) -> Result<Self> {
        Self::assemble_at(ServerSettings::on_free_ports()?, room_type, headless).await
    }

    /// The same with a server of these settings.
    pub(super) async fn assemble_at(
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
    pub(super) fn agent(&self) -> &Player {
        &self.agents[0]
    }

    /// In a room of four, two more agents join.
    pub(super) async fn others_enter(&mut self) -> Result<()> {
        if self.room_type == RoomType::Multi {
            for number in 2..=3 {
                self.agents
                    .push(Player::agent(number, self.room_type, &self.base_url).await?);
            }
        }
        Ok(())
    }

    /// Lets both sides take note of what they hear.
    pub(super) async fn listen(&self) -> Result<()> {
        self.kiosk.listen(&self.agent().user_id()).await?;
        self.agent().listen(&self.kiosk.user_id()).await
    }

    /// Lets kiosk and agent say a text to each other, as soon as both hear the room.
    pub(super) async fn greet(&self) -> Result<bool> {
        for player in [&self.kiosk, self.agent()] {
            let status = player.session().status().await?;
            if status.room.channel.state != ChannelState::Joined {
                return Ok(false);
            }
        }
        let say = |text: &str| Outgoing::Text(text.to_owned());
        self.kiosk.session().send(say("Good morning")).await?;
        self.agent().session().send(say("How can I help?")).await?;
        Ok(true)
    }

    pub(super) async fn leave_stage(self) {
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
        let settings = settings(Role::Guest, "Kiosk", KIOSK_HZ);
        let settings = Settings {
            speaker: if headless {
                AudioSink::None
            } else {
                AudioSink::Auto
            },
            ..settings
        };
        let display = DisplayConfig {
            backend: if headless {
                Backend::Headless
            } else {
                Backend::Auto
            },
            ..screen("rtckiosk demo")
        };
        Self::start(
            settings,
            display,
            room_type,
            base_url,
            "demo-kiosk",
            AGENT_HZ,
        )
        .await
    }

    async fn agent(number: u32, room_type: RoomType, base_url: &str) -> Result<Self> {
        let kiosk = agent(number, room_type, base_url, Some(screen("agent"))).await?;
        Self::watch(kiosk, KIOSK_HZ)
    }

    async fn start(
        settings: Settings,
        display: DisplayConfig,
        room_type: RoomType,
        base_url: &str,
        user_id: &str,
        wanted_hz: f64,
    ) -> Result<Self> {
        let kiosk = side(settings, Some(display), room_type, base_url, user_id).await?;
        Self::watch(kiosk, wanted_hz)
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

    pub(super) fn session(&self) -> SessionHandle {
        self.kiosk.session()
    }

    pub(super) fn display(&self) -> &DisplayHandle {
        &self.display
    }

    pub(super) fn user_id(&self) -> String {
        self.kiosk.user_id().unwrap_or_default()
    }

    /// What the screen's status line says.
    pub(super) fn line(&self) -> String {
        self.session().transitions().borrow().status_line()
    }

    async fn listen(&self, to: &str) -> Result<()> {
        if let Some(downlink) = self.session().status().await?.downlinks.get(to) {
            self.meter.heard(&downlink.audio, self.wanted_hz);
        }
        Ok(())
    }
}

/// An agent who opens the room and waits in it.
pub(super) async fn agent(
    number: u32,
    room_type: RoomType,
    base_url: &str,
    display: Option<DisplayConfig>,
) -> Result<Kiosk> {
    let settings = settings(Role::Host, &format!("Agent {number}"), AGENT_HZ);
    let user_id = format!("demo-agent-{number}");
    side(settings, display, room_type, base_url, &user_id).await
}

async fn side(
    settings: Settings,
    display: Option<DisplayConfig>,
    room_type: RoomType,
    base_url: &str,
    user_id: &str,
) -> Result<Kiosk> {
    let mut room = SessionSettings::new(ClientSettings::new(base_url, room_type));
    room.timings.poll = Duration::from_millis(500);
    room.im = Some(ImSettings::as_told(&base_url.parse()?));
    let credentials = Credentials::GetLoginInfo {
        user_id: Some(user_id.to_owned()),
    };
    Ok(Kiosk::start(settings, &room, credentials, display).await?)
}

fn screen(title: &str) -> DisplayConfig {
    DisplayConfig {
        backend: Backend::Headless,
        width: 960,
        height: 720,
        self_view: Some(Corner::BottomRight),
        mirror: true,
        title: title.to_owned(),
    }
}

fn settings(role: Role, name: &str, hz: f64) -> Settings {
    Settings {
        role,
        patience: Patience {
            retry: Duration::from_millis(500),
            ..Patience::default()
        },
        auto_call: role == Role::Host,
        user_name: name.to_owned(),
        room_id: ROOM.to_owned(),
        room_info: "rtckiosk demo".to_owned(),
        capture: CaptureConfig {
            cameras: CameraConfig::only(VideoSource::Test),
            audio: AudioSource::Test { hz },
            microphone_level: None,
            width: 640,
            height: 480,
            fps: 30,
            encoder: EncoderChoice::Auto,
            time_code: true,
            voice: VoiceConfig::default(),
        },
        uplink: UplinkProfile {
            bitrate_kbps: 800,
            min_kbps: 100,
            max_kbps: 800,
            audio_kbps: 48,
            gop_seconds: 1.0,
            encoder: EncoderChoice::Auto,
        },
        speaker: AudioSink::None,
        speaker_level: None,
        volume: 0.2,
        reconnect: Reconnect::default(),
        relay_tls: ClientTls::default(),
        warnings: Vec::new(),
    }
}
