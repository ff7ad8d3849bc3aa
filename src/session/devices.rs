//! Camera, microphone and loudspeaker of a call.

use tokio::sync::mpsc;

use super::event::SoundDevices;
use super::settings::Settings;
use super::status::DeviceStatus;
use crate::media::{Capture, GroupStatus, MediaError, PushEvent, Speaker};

/// Devices that are open.
#[derive(Debug)]
pub(super) struct Devices {
    pub capture: Capture,
    pub speaker: Speaker,
}

impl Devices {
    /// Opens camera, microphone and loudspeaker.
    pub(super) async fn open(
        settings: Settings,
        events: mpsc::Sender<PushEvent>,
    ) -> Result<Self, MediaError> {
        let capture = Capture::start(settings.capture, events).await?;
        // Without one that works now the call goes on, and it is tried again.
        let speaker = Speaker::start_or_wait(settings.speaker, settings.speaker_level).await;
        speaker.set_volume(settings.volume);
        speaker.report_to(capture.echo());
        Ok(Self { capture, speaker })
    }

    pub(super) async fn close(self) {
        self.capture.stop().await;
        self.speaker.stop().await;
    }

    /// Whether the devices work without which nobody is heard. One that is being opened for the
    /// first time does.
    pub(super) fn sound(&self) -> SoundDevices {
        let works = |status: &GroupStatus| status.live.is_some() || status.faults.is_empty();
        SoundDevices {
            microphone: works(&self.capture.microphone()),
            speaker: works(&self.speaker.status()),
        }
    }

    pub(super) fn status(&self) -> DeviceStatus {
        DeviceStatus {
            camera: self.capture.cameras().status(),
            microphone: self.capture.microphone(),
            speaker: self.speaker.status(),
        }
    }
}
