//! Configuration of the kiosk; board/kiosk.toml documents every key for the operator.

use std::ops::Deref;
use std::path::PathBuf;

use crate::config::document::{self, ConfigErrors, Section};
use crate::config::rules;

mod cameras;
mod choices;
mod media;
mod proxy;
mod room;
mod tls;

pub use cameras::{Camera, Rotation, VideoSource};
pub use choices::{AudioSink, AudioSource, EchoControl, EncoderChoice, VoiceConfig};
pub use media::{Audio, Media, Network, Playback, Video};
pub use proxy::{Proxied, ProxyChoice};
pub use room::{Credentials, Im, Role, Room, UserCredentials, is_user_id};
pub use tls::Tls;

/// Maximum length of a shown name, in characters: more does not fit under a picture.
const NAME: usize = 64;

/// A valid kiosk configuration: made only by [`KioskConfig::parse`] and `default`.
#[derive(Debug, Clone)]
pub struct KioskConfig(Settings);

impl KioskConfig {
    /// Reads a configuration; `file` is only the name used in messages.
    ///
    /// # Errors
    /// All mistakes in the text, one per line.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigErrors> {
        document::read(file, text, Settings::read).map(Self)
    }

    /// Returns the same configuration under another name, as a command line may want.
    ///
    /// # Errors
    /// A name that is not allowed, with what is.
    pub fn with_name(mut self, name: &str) -> Result<Self, String> {
        self.0.name = rules::checked_line(name, NAME)
            .ok_or_else(|| format!("name {name:?}: must be {}", rules::line_allowed(NAME)))?;
        Ok(self)
    }

    /// Lists choices that are allowed but that an operator should know about, one line each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut urls = vec![("room.server_url", &self.room.base_url, "tokens")];
        if let Im::At(url) = &self.im {
            urls.push(("im.url", url, "messages"));
        }
        if let Some(url) = &self.room.login_info_url {
            urls.push(("room.login_info_url", url, "userSigs"));
        }
        let insecure = self.tls.insecure.then(|| {
            "tls.insecure_skip_certificate_check = true: whoever is on the way can pass for the \
             room server and the relay, and see and change everything"
                .to_owned()
        });
        let plain = urls
            .into_iter()
            .filter(|(_, url, _)| url.scheme() == "http" && !rules::is_local(url))
            .map(|(key, url, what)| {
                format!("{key} = \"{url}\": plain HTTP, {what} can be read on the way; use https")
            });
        insecure.into_iter().chain(plain).collect()
    }
}

/// The configuration of an empty file: a call on this machine.
impl Default for KioskConfig {
    fn default() -> Self {
        Self::parse("defaults", "").expect("an empty file is valid: a test holds it so")
    }
}

impl Deref for KioskConfig {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.0
    }
}

#[cfg(test)]
pub(super) fn known_keys() -> Vec<String> {
    document::known_paths(Settings::read)
}

/// All settings of a kiosk.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the counter: shown to agents as `userName`. 1 to 64 characters.
    pub name: String,
    /// Language of the screen.
    pub language: Language,
    /// Keeps over reboots the user id that a server made up.
    pub state_dir: PathBuf,
    /// Directory that snapshots are written to by command, and no other.
    pub snapshot_dir: PathBuf,
    /// The control socket; gone after a reboot.
    pub runtime_dir: PathBuf,
    /// Level of the log.
    pub log: log::LevelFilter,
    pub room: Room,
    pub im: Im,
    pub tls: Tls,
    pub network: Proxied,
    pub media: Media,
    pub display: Screen,
}

/// Language of the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Chinese,
}

/// `[display]`: the customer's screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    pub backend: DisplayBackend,
    /// Canvas, in pixels, even.
    pub width: u32,
    pub height: u32,
    /// The corner of the kiosk's picture; `None`: not shown.
    pub self_view: Option<Corner>,
    /// Whether the kiosk's picture is shown as a mirror does.
    pub mirror: bool,
}

/// The kind of screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisplayBackend {
    /// A window if there is a desktop, else headless.
    Auto,
    Window,
    Headless,
}

/// A corner of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corner {
    TopLeft,
    TopRight,
    BottomLeft,
    BottomRight,
}

impl Settings {
    fn read(root: &Section<'_>) -> Self {
        let languages = [("en", Language::English), ("zh", Language::Chinese)];
        let state_dir: PathBuf = root.get("state_dir", "/var/lib/rtckiosk".into(), rules::path);
        Self {
            name: root.get("name", "Kiosk".to_owned(), rules::line(NAME)),
            language: root.get("language", Language::English, rules::choice(&languages)),
            snapshot_dir: root
                .optional("snapshot_dir", rules::path)
                .unwrap_or_else(|| state_dir.join("snapshots")),
            state_dir,
            runtime_dir: root.get("runtime_dir", "/run/rtckiosk".into(), rules::path),
            log: root.get("log", log::LevelFilter::Info, rules::log_level),
            room: Room::read(&root.section("room")),
            im: Im::read(&root.section("im")),
            tls: Tls::read(&root.section("tls")),
            network: Proxied::read(&root.section("network")),
            media: Media::read(&root.section("media")),
            display: Screen::read(&root.section("display")),
        }
    }
}

impl Screen {
    fn read(display: &Section<'_>) -> Self {
        let backends = [
            ("auto", DisplayBackend::Auto),
            ("window", DisplayBackend::Window),
            ("headless", DisplayBackend::Headless),
        ];
        let corners = [
            ("top-left", Some(Corner::TopLeft)),
            ("top-right", Some(Corner::TopRight)),
            ("bottom-left", Some(Corner::BottomLeft)),
            ("bottom-right", Some(Corner::BottomRight)),
            ("off", None),
        ];
        Self {
            backend: display.get("backend", DisplayBackend::Auto, rules::choice(&backends)),
            // From the smallest panels sold to 4K; a canvas costs four bytes per pixel.
            width: display.get("width", 1280, rules::even(320..=3840)),
            height: display.get("height", 720, rules::even(240..=3840)),
            self_view: display.get(
                "self_view",
                Some(Corner::BottomRight),
                rules::choice(&corners),
            ),
            mirror: display.get("mirror", true, rules::flag),
        }
    }
}
