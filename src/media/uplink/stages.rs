//! Measures the stages of the way of what we send, from the device to the network.

use std::sync::Mutex;
use std::time::Duration;

use super::push_stats::{PushDelay, SendDelay};
use super::queue::Track;
use crate::media::lock::lock;
use crate::media::smooth::{Smooth, tenths};

/// A point on the way of a picture or a piece of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    /// Captured: before the encoder.
    Captured,
    Encoded,
    /// Given to the connection.
    Sent,
}

/// Ages at each point, by track.
#[derive(Debug, Default)]
pub(super) struct Stages(Mutex<[[Smooth; 3]; 2]>);

impl Stages {
    /// Notes that something that was captured `age` ago is at `point`.
    pub(super) fn note(&self, track: Track, point: Point, age: Duration) {
        let mut ages = lock(&self.0);
        ages[track as usize][point as usize].note(age);
    }

    /// The delays, with what the kernel and the way to the relay add.
    pub(super) fn delays(&self, kernel: Duration, network: Option<Duration>) -> PushDelay {
        let ages = *lock(&self.0);
        let millis = |time: Duration| tenths(time.as_secs_f64() * 1e3);
        let (kernel, network) = (millis(kernel), network.map(millis));
        let track = |track: Track| {
            let [captured, encoded, sent] = ages[track as usize].map(Smooth::ms);
            let (captured, encoded, sent) = (captured?, encoded?, sent?);
            Some(SendDelay {
                capture: captured,
                encode: tenths((encoded - captured).max(0.0)),
                queue: tenths((sent - encoded).max(0.0)),
                kernel,
                network,
                total: tenths(sent + kernel + network.unwrap_or_default()),
            })
        };
        PushDelay {
            picture: track(Track::Picture),
            sound: track(Track::Sound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_add_up() {
        let stages = Stages::default();
        let ms = Duration::from_millis;
        assert_eq!(stages.delays(ms(1), None), PushDelay::default());
        for (point, age) in [
            (Point::Captured, 4),
            (Point::Encoded, 11),
            (Point::Sent, 12),
        ] {
            stages.note(Track::Picture, point, ms(age));
        }
        let delays = stages.delays(ms(3), Some(ms(20)));
        assert_eq!(delays.sound, None);
        let expected = SendDelay {
            capture: 4.0,
            encode: 7.0,
            queue: 1.0,
            kernel: 3.0,
            network: Some(20.0),
            total: 35.0,
        };
        assert_eq!(delays.picture, Some(expected));
    }
}
