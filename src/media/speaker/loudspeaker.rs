//! The loudspeaker of a call, as its owner holds it.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::device::open;
use super::keeper::Keeper;
use super::member_input::SpeakerInput;
use super::shared_mixer::{SharedMixer, Sound, lock_mixer};
use crate::config::kiosk::AudioSink;
use crate::media::echo::Echo;
use crate::media::error::MediaError;
use crate::media::group_status::GroupStatus;
use crate::media::pipeline::Pipeline;

/// The playback device. Dropping it stops it; inputs may outlive it.
#[derive(Debug)]
pub struct Speaker {
    mixer: SharedMixer,
    status: watch::Receiver<GroupStatus>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Speaker {
    /// Opens the device. Must be called in a tokio runtime, after [`init`](crate::media::init). A
    /// device that fails later is opened again with back-off, as long as the speaker lives.
    ///
    /// # Errors
    /// `NoSpeaker` when there is no such device, `Pipeline` or `StateTimeout` when it does not
    /// play.
    pub async fn start(sink: AudioSink) -> Result<Self, MediaError> {
        let mixer = Sound::shared();
        let pipeline = open(&sink, &mixer).await?;
        Ok(Self::keep(sink, None, mixer, Ok(pipeline)))
    }

    /// The same for a call, which goes on without sound: a device that does not play now is
    /// tried again. Its mixer is set to `level` percent each time it is opened.
    pub async fn start_or_wait(sink: AudioSink, level: Option<u8>) -> Self {
        let mixer = Sound::shared();
        let opened = open(&sink, &mixer).await;
        if let Err(error) = &opened {
            log::warn!("the call goes on without a loudspeaker: {error}");
        }
        Self::keep(sink, level, mixer, opened)
    }

    fn keep(
        sink: AudioSink,
        level: Option<u8>,
        mixer: SharedMixer,
        opened: Result<Pipeline, MediaError>,
    ) -> Self {
        let stop = CancellationToken::new();
        let (keeper, status) = Keeper::new(sink, level, Arc::clone(&mixer));
        Self {
            mixer,
            status,
            task: Some(tokio::spawn(keeper.run(opened, stop.clone()))),
            stop,
        }
    }

    /// The state of the device: whether it plays, and why not.
    #[must_use]
    pub fn status(&self) -> GroupStatus {
        self.status.borrow().clone()
    }

    /// A new input for `member`.
    #[must_use]
    pub fn input(&self, member: &str) -> SpeakerInput {
        SpeakerInput::new(member, &self.mixer)
    }

    /// 0 is silence, 1 plays as received; other values are brought into this range.
    pub fn set_volume(&self, volume: f64) {
        if !volume.is_nan() {
            lock_mixer(&self.mixer).volume = volume.clamp(0.0, 1.0);
        }
    }

    /// Reports to `echo` from now on what the device gets; only the first call counts.
    pub fn report_to(&self, echo: &Echo) {
        let _ = self.mixer.echo.set(echo.clone());
    }

    /// Calls back with each block as it goes to the device, and with the µs until it is heard. On
    /// the device's thread: it must not wait. Replaces the one before.
    pub fn on_played(&self, listener: impl FnMut(&[i16], i64) + Send + 'static) {
        lock_mixer(&self.mixer).listener = Some(Box::new(listener));
    }

    /// Stops; the device is free when this returns (within ten seconds, even if it hangs).
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            log::error!(error:%; "the speaker's task failed");
        }
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::time::Duration;

    use super::super::input::Timing;
    use crate::media::elements;
    use crate::media::format::SAMPLE_RATE;
    use crate::media::time_code::now_micros;

    #[tokio::test]
    async fn inputs_come_and_go_while_it_plays_in_real_time() {
        elements::init().expect("GStreamer starts");
        let speaker = Speaker::start(AudioSink::None)
            .await
            .expect("needs no device");
        let heard = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&heard);
        speaker.on_played(move |samples, device| {
            assert!((0..100_000).contains(&device), "{device}");
            *counted.lock().expect("no panic") += samples.iter().filter(|&&s| s == 1000).count();
        });
        let (first, second) = (speaker.input("a"), speaker.input("a"));
        let now = Timing {
            media: 0,
            lag: now_micros() as i64,
        };
        let fifth_of_a_second = SAMPLE_RATE as usize / 5;
        first.push(&vec![1000; fifth_of_a_second], now);
        second.push(&vec![1000; fifth_of_a_second], now);
        drop(second);
        assert_eq!(lock_mixer(&speaker.mixer).inputs.len(), 1);
        let begun = std::time::Instant::now();
        while first.played().gaps == 0 {
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "nothing is played"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(
            begun.elapsed() > Duration::from_millis(100),
            "paced by the clock"
        );
        assert!(*heard.lock().expect("no panic") > fifth_of_a_second / 2);
        speaker.set_volume(f64::NAN);
        speaker.set_volume(7.0);
        assert_eq!(lock_mixer(&speaker.mixer).volume, 1.0);
        speaker.stop().await;
        first.push(&[1], now);
    }

    #[tokio::test]
    async fn a_missing_device_is_a_clear_error() {
        elements::init().expect("GStreamer starts");
        for (sink, name) in [
            (AudioSink::Device("plughw:77,0".to_owned()), "plughw:77,0"),
            (AudioSink::Name("no such card".to_owned()), "no such card"),
            (AudioSink::Gst("no_such_sink".to_owned()), "no_such_sink"),
            (AudioSink::Gst("videotestsrc".to_owned()), "no input"),
        ] {
            let error = Speaker::start(sink)
                .await
                .expect_err("there is no such device");
            assert!(matches!(error, MediaError::NoSpeaker { .. }), "{error:?}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
