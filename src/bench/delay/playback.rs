//! The player of a kiosk, with its screen and its loudspeaker.

use std::time::Duration;

use anyhow::Result;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::picture_ages::PictureAges;
use crate::config::kiosk::{AudioSink, DisplayBackend, Language, Screen};
use crate::demo::meter::read_time_code;
use crate::display::{Display, DisplayConfig, MemberPicture};
use crate::media::{Downlink, DownlinkConfig, Speaker};
use crate::process::backoff::Reconnect;
use crate::tls::ClientTls;

/// The screen and the loudspeaker of a kiosk.
#[derive(Debug)]
pub(super) struct Playback {
    pub(super) speaker: Speaker,
    screen: Display,
}

impl Playback {
    pub(super) async fn start() -> Result<Self> {
        let screen = tokio::task::spawn_blocking(|| Display::start(screen())).await??;
        let speaker = Speaker::start(AudioSink::None).await?;
        // The sender, which was started before, runs by then.
        sleep(Duration::from_secs(1)).await;
        Ok(Self { speaker, screen })
    }

    /// Plays a stream, and takes note of the age of its pictures.
    pub(super) fn play(&self, url: &str, ages: &PictureAges) -> Downlink {
        let (screen, ages) = (self.screen.handle(), ages.clone());
        screen.on_shown(move |_, sample| ages.seen(read_time_code(sample)));
        let downlink = play(url, Some(&self.speaker));
        screen.set_members(vec![MemberPicture {
            id: "sender".to_owned(),
            name: "Sender".to_owned(),
            picture: downlink.picture(),
        }]);
        downlink
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.speaker.stop().await;
        let screen = self.screen;
        Ok(tokio::task::spawn_blocking(|| screen.stop()).await?)
    }
}

/// Plays a stream as a kiosk does, without sound if there is no loudspeaker.
pub(super) fn play(url: &str, speaker: Option<&Speaker>) -> Downlink {
    // Events that nobody reads are dropped.
    let (events, _) = mpsc::channel(1);
    let config = DownlinkConfig {
        url: url.to_owned().into(),
        reconnect: Reconnect::default(),
        tls: ClientTls::default(),
        largest_picture: (1920, 1088),
        speaker: speaker.map(|speaker| speaker.input("sender")),
    };
    Downlink::start(config, events)
}

fn screen() -> DisplayConfig {
    DisplayConfig {
        screen: Screen {
            backend: DisplayBackend::Headless,
            width: 960,
            height: 720,
            self_view: None,
            mirror: false,
        },
        title: "bench".to_owned(),
        language: Language::English,
    }
}
