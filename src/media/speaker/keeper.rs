//! Keeps the loudspeaker playing: notices when the device is gone, and opens it again. Meanwhile
//! the sound is played into nothing, in time, so that nobody who delivers sound notices.

use std::time::Duration;

use alsa::Direction;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::device::{device, named, open, play_into, stop_pipeline};
use super::shared_mixer::SharedMixer;
use crate::config::kiosk::AudioSink;
use crate::media::devices::{self, DeviceKind, Hotplug, set_level};
use crate::media::error::MediaError;
use crate::media::group_status::GroupStatus;
use crate::media::pipeline::{BusEvent, Pipeline, off_runtime};
use crate::process::backoff::{Backoff, Reconnect};

/// Waits between tries of the device; it may come back any time, so they never end.
const AGAIN: Reconnect = Reconnect {
    window: Duration::MAX,
    min: Duration::from_millis(500),
    max: Duration::from_millis(2500),
};
/// Minimum time between two tries, whatever the kernel announces: our choice.
const BREATH: Duration = Duration::from_millis(200);

pub(super) struct Keeper {
    sink: AudioSink,
    /// The setting of the card's own mixer, percent.
    level: Option<u8>,
    mixer: SharedMixer,
    hotplug: Hotplug,
    status: watch::Sender<GroupStatus>,
}

impl Keeper {
    pub(super) fn new(
        sink: AudioSink,
        level: Option<u8>,
        mixer: SharedMixer,
    ) -> (Self, watch::Receiver<GroupStatus>) {
        let (status, shown) = watch::channel(GroupStatus::default());
        let keeper = Self {
            sink,
            level,
            mixer,
            hotplug: Hotplug::of(DeviceKind::Sound),
            status,
        };
        (keeper, shown)
    }

    /// Holds the device open until `stop`; `opened` is how the first try went.
    pub(super) async fn run(
        mut self,
        opened: Result<Pipeline, MediaError>,
        stop: CancellationToken,
    ) {
        let mut playing = None;
        stop.run_until_cancelled(self.keep(opened, &mut playing))
            .await;
        if let Some(mut pipeline) = playing {
            stop_pipeline(&mut pipeline).await;
        }
    }

    /// Works for ever. What plays now is in `playing`, so that the caller can stop it.
    async fn keep(
        &mut self,
        mut opened: Result<Pipeline, MediaError>,
        playing: &mut Option<Pipeline>,
    ) {
        let mut backoff = Backoff::new(AGAIN);
        loop {
            let fault = match opened {
                Ok(pipeline) => {
                    self.show(None);
                    self.set_level();
                    let fault = failure(playing.insert(pipeline)).await;
                    log::warn!(error:% = fault; "the loudspeaker failed");
                    fault
                }
                Err(error) => error.to_string(),
            };
            self.show(Some(fault));
            if let Some(mut broken) = playing.take() {
                stop_pipeline(&mut broken).await;
            }
            *playing = self.nowhere().await;
            let device = self.reopen(&mut backoff).await;
            if let Some(mut nowhere) = playing.take() {
                stop_pipeline(&mut nowhere).await;
            }
            log::info!("the loudspeaker plays again");
            opened = Ok(device);
        }
    }

    async fn reopen(&mut self, backoff: &mut Backoff) -> Pipeline {
        loop {
            let wait = backoff.next(Instant::now(), rand::random());
            sleep(BREATH).await;
            let rest = wait.unwrap_or(AGAIN.max).saturating_sub(BREATH);
            // Cut short when the kernel announces a sound card.
            let announced = timeout(rest, self.hotplug.changed()).await.is_ok();
            match open(&self.sink, &self.mixer).await {
                Ok(pipeline) => {
                    backoff.reset();
                    return pipeline;
                }
                Err(error) => {
                    log::debug!(error:%, announced; "the loudspeaker is not back");
                    self.show(Some(error.to_string()));
                }
            }
        }
    }

    async fn nowhere(&self) -> Option<Pipeline> {
        let sink = device(&AudioSink::None);
        let played = async { play_into(sink?, &self.mixer).await }.await;
        if let Err(error) = &played {
            log::error!(error:%; "nothing can stand in for the loudspeaker");
        }
        played.ok()
    }

    /// Sets the level beside the playing: mixers may take their time.
    fn set_level(&self) {
        let Some(percent) = self.level else { return };
        let sink = self.sink.clone();
        off_runtime(move || {
            let set = match &sink {
                AudioSink::Auto => set_level("default", Direction::Playback, percent),
                AudioSink::Device(device) => set_level(device, Direction::Playback, percent),
                AudioSink::Name(name) => named(name, devices::speakers())
                    .map_err(|error| error.to_string())
                    .and_then(|device| set_level(&device, Direction::Playback, percent)),
                AudioSink::None | AudioSink::Gst(_) => Ok(()),
            };
            if let Err(reason) = set {
                log::warn!(speaker:% = sink; "the loudspeaker's level is not set: {reason}");
            }
        });
    }

    fn show(&self, fault: Option<String>) {
        let wanted = self.sink.to_string();
        let live = fault.is_none().then(|| wanted.clone());
        let faults = fault.map(|fault| (wanted.clone(), fault));
        self.status.send_replace(GroupStatus {
            live,
            wanted,
            faults: faults.into_iter().collect(),
            ..GroupStatus::default()
        });
    }
}

/// Waits for what ends the playing.
async fn failure(pipeline: &mut Pipeline) -> String {
    loop {
        match pipeline.next_event().await {
            BusEvent::Error(error) => return error.to_string(),
            BusEvent::Eos => return "the device ended the sound".to_owned(),
            BusEvent::Warning { element, message } => {
                log::debug!(element, message; "the loudspeaker warns");
            }
        }
    }
}
