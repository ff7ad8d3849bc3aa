//! The configuration in the words of each room, and the kiosk put together from its rooms.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::kiosk::{self, KioskConfig};
use crate::display::{self, Display};
use crate::media::{self, CaptureConfig, Reconnect, VoiceConfig};
use crate::protocol::RoomType;
use crate::protocol::user_sig::Form;
use crate::room::{
    self, ClientSettings, Credentials, ImSettings, RoomHandle, RoomSession, SessionSettings,
    UserCredentials,
};
use crate::session::{self, Patience, Role, Session, SessionHandle, UplinkProfile};
use crate::tls::{ClientTls, Pin, Trust, TrustError, TrustSettings};

/// Room events that may wait for the session.
const ROOM_EVENTS: usize = 64;

/// How long a stream is fetched back with the URL that worked before.
const SAME_URL_WINDOW: Duration = Duration::from_secs(10);

/// A kiosk, or an agent's side: room client, session and screen.
#[derive(Debug)]
pub struct Kiosk {
    room: RoomHandle,
    session: Session,
    display: Option<Display>,
}

/// Why a kiosk could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Media(#[from] media::MediaError),
    #[error("the screen cannot be used")]
    Display(#[from] display::DisplayError),
    #[error("GStreamer ended badly while it was started")]
    Panicked,
    #[error("the room client cannot start")]
    Room(#[from] room::SetupError),
}

/// The certificates that the configuration trusts.
///
/// # Errors
/// A file that cannot be read, or holds no certificate.
pub fn trust(config: &KioskConfig) -> Result<Trust, TrustError> {
    let tls = &config.tls;
    Trust::load(&TrustSettings {
        ca_file: tls.ca_file.clone(),
        system: tls.system_ca,
        insecure: tls.insecure,
    })
}

fn pins(hashes: &[[u8; 32]]) -> Vec<Pin> {
    hashes.iter().copied().map(Pin).collect()
}

/// Connections to the relay.
#[must_use]
pub fn relay_tls(config: &KioskConfig, trust: &Trust) -> ClientTls {
    trust.client(&pins(&config.tls.relay_pins))
}

/// Connections to the room server, outside its client.
#[must_use]
pub fn room_tls(config: &KioskConfig, trust: &Trust) -> ClientTls {
    trust.client(&pins(&config.tls.room_pins))
}

impl Kiosk {
    /// Starts everything; the session logs in by itself and then waits for a call.
    ///
    /// # Errors
    /// When GStreamer misses elements, there is no screen of the configured kind, or TLS
    /// cannot be set up.
    pub async fn start(
        session: session::Settings,
        room: &SessionSettings,
        credentials: Credentials,
        display: Option<display::DisplayConfig>,
    ) -> Result<Self, StartError> {
        let shape = session.shape();
        // GStreamer scans its plugins, and a window takes its time: both block.
        let display = tokio::task::spawn_blocking(move || {
            media::init()?;
            // Now, so that no call waits for it.
            media::codecs::start(shape);
            Ok::<_, StartError>(display.map(Display::start).transpose()?)
        });
        let display = display.await.map_err(|_| StartError::Panicked)??;
        let (events, room_events) = mpsc::channel(ROOM_EVENTS);
        let room = RoomSession::start(room, credentials, events)?;
        let screen = display.as_ref().map(Display::handle);
        let session = Session::start(session, room.clone(), room_events, screen);
        Ok(Self {
            room,
            session,
            display,
        })
    }

    #[must_use]
    pub fn session(&self) -> SessionHandle {
        self.session.handle()
    }

    /// Who we are in rooms, once logged in.
    #[must_use]
    pub fn user_id(&self) -> Option<String> {
        self.room.snapshot().borrow().user_id.clone()
    }

    #[must_use]
    pub fn display(&self) -> Option<display::DisplayHandle> {
        self.display.as_ref().map(Display::handle)
    }

    /// Leaves the room, closes the devices and the screen.
    pub async fn stop(self) {
        self.session.stop().await;
        if let Err(error) = self.room.stop().await {
            log::debug!("the room client had stopped: {error}");
        }
        if let Some(display) = self.display
            && tokio::task::spawn_blocking(|| display.stop())
                .await
                .is_err()
        {
            log::error!("the display ended badly");
        }
    }
}

/// What the session is to do, from the configuration.
#[must_use]
pub fn session_settings(config: &KioskConfig, trust: &Trust) -> session::Settings {
    let (video, audio, network) = (
        &config.media.video,
        &config.media.audio,
        &config.media.network,
    );
    session::Settings {
        role: match config.room.mode {
            kiosk::Mode::Guest => Role::Guest,
            kiosk::Mode::Host => Role::Host,
        },
        patience: Patience {
            connect: network.connect_timeout * 2,
            uplink: network.reconnect_window,
            ..Patience::default()
        },
        auto_call: false,
        user_name: config.name.clone(),
        room_id: config.room.room_id.clone().unwrap_or_default(),
        room_info: config.name.clone(),
        capture: CaptureConfig {
            cameras: config.media.cameras.iter().map(camera).collect(),
            audio: audio_source(&audio.microphone),
            microphone_level: audio.microphone_level,
            width: video.width,
            height: video.height,
            fps: video.fps,
            encoder: encoder(&video.encoder),
            time_code: false,
            voice: voice(audio),
        },
        uplink: UplinkProfile {
            bitrate_kbps: video.bitrate_kbps,
            min_kbps: video.min_kbps,
            max_kbps: video.max_kbps,
            audio_kbps: audio.bitrate_kbps,
            gop_seconds: video.gop_seconds,
            encoder: encoder(&video.encoder),
        },
        speaker: match &audio.speaker {
            kiosk::Speaker::Auto => media::AudioSink::Auto,
            kiosk::Speaker::None => media::AudioSink::None,
            kiosk::Speaker::Device(device) => media::AudioSink::Device(device.clone()),
            kiosk::Speaker::Name(name) => media::AudioSink::Name(name.clone()),
            kiosk::Speaker::Gst(description) => media::AudioSink::Gst(description.clone()),
        },
        speaker_level: audio.speaker_level,
        volume: f64::from(audio.volume) / 100.0,
        reconnect: Reconnect {
            // After this the session asks for a new URL, within the rest of its own window.
            window: network.reconnect_window.min(SAME_URL_WINDOW),
            ..Reconnect::default()
        },
        relay_tls: relay_tls(config, trust),
        warnings: config.warnings(),
    }
}

fn camera(camera: &kiosk::Camera) -> media::CameraConfig {
    media::CameraConfig {
        name: camera.name.clone(),
        source: video_source(&camera.source),
        rotation: camera.rotation,
        at_least: camera.at_least,
    }
}

fn video_source(source: &kiosk::VideoSource) -> media::VideoSource {
    match source {
        kiosk::VideoSource::Auto => media::VideoSource::Auto,
        kiosk::VideoSource::Test => media::VideoSource::Test,
        kiosk::VideoSource::Device(path) => media::VideoSource::Device(path.clone()),
        kiosk::VideoSource::Name(name) => media::VideoSource::Name(name.clone()),
        kiosk::VideoSource::Gst(description) => media::VideoSource::Gst(description.clone()),
    }
}

fn encoder(encoder: &kiosk::Encoder) -> media::EncoderChoice {
    match encoder {
        kiosk::Encoder::Auto => media::EncoderChoice::Auto,
        kiosk::Encoder::Camera => media::EncoderChoice::Camera,
        kiosk::Encoder::Named(name) => media::EncoderChoice::Named(name.clone()),
    }
}

fn audio_source(source: &kiosk::AudioSource) -> media::AudioSource {
    match source {
        kiosk::AudioSource::Auto => media::AudioSource::Auto,
        kiosk::AudioSource::Test { hz } => media::AudioSource::Test { hz: *hz },
        kiosk::AudioSource::Device(device) => media::AudioSource::Device(device.clone()),
        kiosk::AudioSource::Name(name) => media::AudioSource::Name(name.clone()),
        kiosk::AudioSource::Gst(description) => media::AudioSource::Gst(description.clone()),
    }
}

fn voice(audio: &kiosk::Audio) -> VoiceConfig {
    VoiceConfig {
        echo: match audio.echo {
            kiosk::EchoControl::Cancel => media::EchoControl::Cancel,
            kiosk::EchoControl::HalfDuplex => media::EchoControl::HalfDuplex,
            kiosk::EchoControl::Off => media::EchoControl::Off,
        },
        noise_suppression: audio.noise_suppression,
        gain_control: audio.gain_control,
    }
}

/// Room server and rhythm, from the configuration.
#[must_use]
pub fn room_settings(config: &KioskConfig, trust: &Trust) -> SessionSettings {
    let room_type = match config.room.room_type {
        kiosk::RoomType::Double => RoomType::Double,
        kiosk::RoomType::Multi => RoomType::Multi,
    };
    let mut client = ClientSettings::new(config.room.base_url.clone(), room_type);
    client.trust = trust.clone();
    client.pins = pins(&config.tls.room_pins);
    client.im_pins = pins(&config.tls.im_pins);
    client.deadline = config.room.request_timeout;
    client.connect_timeout = client.connect_timeout.min(client.deadline);
    if let kiosk::Credentials::GetLoginInfo { url } = &config.room.credentials {
        client.login_info_url.clone_from(url);
    }
    let mut settings = SessionSettings::new(client);
    settings.timings.heartbeat = config.room.heartbeat;
    settings.timings.poll = config.room.poll;
    settings.im = message_service(config);
    settings
}

fn message_service(config: &KioskConfig) -> Option<ImSettings> {
    match &config.im {
        kiosk::Im::Off => None,
        kiosk::Im::At(url) => Some(ImSettings::At(url.clone())),
        kiosk::Im::Auto => Some(ImSettings::as_told(&config.room.base_url)),
    }
}

/// Who the kiosk is, from the configuration.
#[must_use]
pub fn credentials(config: &KioskConfig) -> Credentials {
    let user_id = config.room.user_id.clone();
    let (sdk_app_id, account_type, user_sig) = match config.room.credentials.clone() {
        kiosk::Credentials::GetLoginInfo { .. } => return Credentials::GetLoginInfo { user_id },
        kiosk::Credentials::Configured {
            sdk_app_id,
            account_type,
            user_sig,
        } => (sdk_app_id, account_type, user_sig),
    };
    // The configuration demands a user id beside a userSig.
    let user_id = user_id.unwrap_or_default();
    match user_sig {
        kiosk::UserSig::Signed { key_file, form } => Credentials::Key {
            sdk_app_id,
            account_type,
            user_id,
            path: key_file,
            form: match form {
                kiosk::SigForm::Node => Form::Node,
                kiosk::SigForm::Java => Form::Java,
            },
        },
        kiosk::UserSig::Inline(user_sig) => Credentials::Given(UserCredentials {
            sdk_app_id,
            account_type,
            user_id,
            user_sig,
        }),
        kiosk::UserSig::File(path) => Credentials::SigFile {
            sdk_app_id,
            account_type,
            user_id,
            path,
        },
    }
}

/// Which screen, from the configuration.
#[must_use]
pub fn display_config(config: &KioskConfig) -> display::DisplayConfig {
    display::DisplayConfig {
        backend: match config.display.backend {
            kiosk::DisplayBackend::Auto => display::Backend::Auto,
            kiosk::DisplayBackend::Window => display::Backend::Window,
            kiosk::DisplayBackend::Headless => display::Backend::Headless,
        },
        width: config.display.width,
        height: config.display.height,
        self_view: config.display.self_view.map(|corner| match corner {
            kiosk::Corner::TopLeft => display::Corner::TopLeft,
            kiosk::Corner::TopRight => display::Corner::TopRight,
            kiosk::Corner::BottomLeft => display::Corner::BottomLeft,
            kiosk::Corner::BottomRight => display::Corner::BottomRight,
        }),
        mirror: config.display.mirror,
        title: config.name.clone(),
    }
}
