//! The settings of every part of a kiosk, made once from its configuration. `run`, `check`,
//! `agent` and the demo all start from a plan, so that they cannot contradict each other.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::config::KioskConfig;
use crate::config::kiosk::{Credentials, Im, ProxyChoice, Role};
use crate::config::proxy::{EnvironmentProxy, ProxyRules};
use crate::display::DisplayConfig;
use crate::display::strings::no_picture;
use crate::media::{AwayText, CaptureConfig};
use crate::process::backoff::Reconnect;
use crate::room::{ClientSettings, ImSettings, SessionSettings};
use crate::session::{Patience, Settings};
use crate::tls::{ClientTls, Dialer, Pin, Trust, TrustError, TrustSettings};

/// Time for which a stream is fetched back with the URL that worked before.
const SAME_URL_WINDOW: Duration = Duration::from_secs(10);

/// Everything that a kiosk, or an agent's side, is started with.
#[derive(Debug, Clone)]
pub struct Plan {
    pub session: Settings,
    pub room: SessionSettings,
    pub credentials: Credentials,
    /// `None` = no screen at all, as with an agent of the command line.
    pub display: Option<DisplayConfig>,
    /// The room server, and whom to trust as it, for connections outside its client.
    pub room_url: Url,
    pub room_tls: ClientTls,
    /// Keeps a made-up user id; `None` = it is forgotten, as with an agent of the command line.
    pub state_dir: Option<PathBuf>,
    /// Of the control socket.
    pub runtime_dir: PathBuf,
}

/// Reasons for which there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("network.proxy = \"environment\": {0}")]
    Proxy(String),
}

impl Plan {
    /// Makes a plan; reads the certificates that the configuration trusts, and no other file; of
    /// the environment only what names a proxy, and only if the configuration says so.
    ///
    /// # Errors
    /// A file of certificates that cannot be read, or holds none; a proxy that cannot be used.
    pub fn from(config: &KioskConfig) -> Result<Self, PlanError> {
        let trust = Trust::load(&TrustSettings {
            ca: config.tls.ca.clone(),
            ca_file: config.tls.ca_file.clone(),
            system: config.tls.system_ca,
            insecure: config.tls.insecure,
        })?;
        let dialer = Dialer::new(proxy(config)?);
        let client = |hashes: &[[u8; 32]]| trust.client(&pins(hashes)).by(&dialer);
        Ok(Self {
            session: session(config, client(&config.tls.relay_pins)),
            room: room(config, &trust, &dialer),
            credentials: config.room.credentials.clone(),
            display: Some(DisplayConfig {
                screen: config.display.clone(),
                language: config.language,
                title: config.name.clone(),
            }),
            room_url: config.room.base_url.clone(),
            room_tls: client(&config.tls.room_pins),
            state_dir: Some(config.state_dir.clone()),
            runtime_dir: config.runtime_dir.clone(),
        })
    }

    /// The same for the other side: it opens a room, answers whoever comes, has no screen, and
    /// leaves no trace.
    #[must_use]
    pub fn for_agent(mut self) -> Self {
        self.session.role = Role::Host;
        self.session.auto_call = true;
        self.display = None;
        self.room.sig_file = None;
        self.state_dir = None;
        self
    }
}

fn pins(hashes: &[[u8; 32]]) -> Vec<Pin> {
    hashes.iter().copied().map(Pin).collect()
}

/// The proxy to everybody, if there is one.
fn proxy(config: &KioskConfig) -> Result<Option<ProxyRules>, PlanError> {
    let network = &config.network;
    let mut exceptions = network.exceptions.clone();
    let proxy = match &network.proxy {
        ProxyChoice::Direct => None,
        ProxyChoice::At(proxy) => Some(proxy.clone()),
        ProxyChoice::Environment => {
            let variable = |name: &str| std::env::var(name).ok();
            let found = EnvironmentProxy::read(variable).map_err(PlanError::Proxy)?;
            exceptions.extend(found.exceptions);
            found.proxy
        }
    };
    Ok(proxy.map(|proxy| ProxyRules {
        proxy,
        login_file: network.login_file.clone(),
        exceptions,
    }))
}

fn session(config: &KioskConfig, relay_tls: ClientTls) -> Settings {
    let (video, audio, network) = (
        &config.media.video,
        &config.media.audio,
        &config.media.network,
    );
    Settings {
        role: config.room.role,
        agents: config.room.agents.clone(),
        patience: Patience {
            first_picture: config.room.first_picture,
            answer: config.room.answer,
            connect: network.connect_timeout * 2,
            uplink: network.reconnect_window,
            ..Patience::default()
        },
        auto_call: false,
        user_name: config.name.clone(),
        room_id: config.room.room_id.clone().unwrap_or_default(),
        room_info: config.name.clone(),
        snapshot_dir: config.snapshot_dir.clone(),
        capture: CaptureConfig {
            cameras: config.media.cameras.clone(),
            audio: audio.microphone.clone(),
            microphone_level: audio.microphone_level,
            width: video.width,
            height: video.height,
            fps: video.fps,
            encoder: video.encoder.clone(),
            time_code: false,
            away: away(config),
            voice: audio.voice,
        },
        video: video.clone(),
        audio_kbps: audio.bitrate_kbps,
        speaker: audio.speaker.clone(),
        speaker_level: audio.speaker_level,
        volume: f64::from(audio.volume) / 100.0,
        largest_picture: config.media.playback.largest_picture,
        reconnect: Reconnect {
            // After this the session asks for a new URL, within the rest of its own window.
            window: network.reconnect_window.min(SAME_URL_WINDOW),
            ..Reconnect::default()
        },
        relay_tls,
        warnings: config.warnings(),
    }
}

/// The words of the picture that is sent while no camera works.
fn away(config: &KioskConfig) -> AwayText {
    let only = match &config.media.cameras[..] {
        [camera] => Some(camera.name.as_str()),
        _ => None,
    };
    let [title, reason] = no_picture(config.language, only);
    AwayText { title, reason }
}

/// Room server and rhythm.
fn room(config: &KioskConfig, trust: &Trust, dialer: &Dialer) -> SessionSettings {
    let room = &config.room;
    let mut client = ClientSettings::new(room.base_url.clone(), room.room_type);
    client.trust = trust.clone();
    client.dialer = dialer.clone();
    client.pins = pins(&config.tls.room_pins);
    client.im_pins = pins(&config.tls.im_pins);
    client.deadline = room.request_timeout;
    client.connect_timeout = client.connect_timeout.min(client.deadline);
    client.login_info_url.clone_from(&room.login_info_url);
    let mut settings = SessionSettings::new(client);
    settings.sig_file = Some(config.state_dir.join("user_sig"));
    settings.timings.heartbeat = room.heartbeat;
    settings.timings.poll = room.poll;
    settings.im = match &config.im {
        Im::Off => None,
        Im::At(url) => Some(ImSettings::At(url.clone())),
        Im::Auto => Some(ImSettings::as_told(&room.base_url)),
    };
    settings
}
