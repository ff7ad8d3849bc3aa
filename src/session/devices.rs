//! Camera, microphone and loudspeaker of a call.

use tokio::sync::mpsc;

use super::status::DeviceStatus;
use crate::config::kiosk::AudioSink;
use crate::media::{Capture, CaptureConfig, MediaError, PushEvent, Speaker};

/// Devices that are open.
#[derive(Debug)]
pub(super) struct Devices {
    pub capture: Capture,
    pub speaker: Speaker,
}

/// Settings that devices are opened with.
pub(super) struct DeviceConfig {
    pub capture: CaptureConfig,
    pub speaker: AudioSink,
    /// Of the speaker's mixer, percent.
    pub speaker_level: Option<u8>,
    /// Loudness, 0.0 to 1.0.
    pub volume: f64,
}

impl Devices {
    /// Opens camera, microphone and loudspeaker.
    pub(super) async fn open(
        config: DeviceConfig,
        events: mpsc::Sender<PushEvent>,
    ) -> Result<Self, MediaError> {
        let capture = Capture::start(config.capture, events).await?;
        // Without one that works now the call goes on, and it is tried again.
        let speaker = Speaker::start_or_wait(config.speaker, config.speaker_level).await;
        speaker.set_volume(config.volume);
        speaker.tell(capture.echo());
        Ok(Self { capture, speaker })
    }

    pub(super) async fn close(self) {
        self.capture.stop().await;
        self.speaker.stop().await;
    }

    pub(super) fn status(&self) -> DeviceStatus {
        DeviceStatus {
            camera: self.capture.cameras().status(),
            microphone: self.capture.microphone(),
            speaker: self.speaker.status(),
        }
    }
}
