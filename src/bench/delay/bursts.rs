//! The delay of a sender's bursts of tone at the loudspeaker.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::test_stream::SECOND;
use crate::bench::tools::Spread;
use crate::media::Speaker;
use crate::media::speaker::SAMPLE_RATE;
use crate::media::time_code::now_micros;

/// Least sample that belongs to a burst, far below the sender's tone.
const LOUD: u16 = 2000;
/// Fewest quiet samples before a burst: 200 ms.
const PAUSE: usize = SAMPLE_RATE as usize / 5;
/// First bursts, which are not counted: the player finds its pace.
const SETTLING: usize = 3;

/// Time that each burst took to be heard; it began with a second of the clock.
#[derive(Debug, Clone, Default)]
pub(super) struct BurstDelays(Arc<Mutex<Vec<Duration>>>);

impl BurstDelays {
    /// Begins to measure what a loudspeaker plays.
    pub(super) fn at(speaker: &Speaker) -> Self {
        let delays = Self::default();
        let heard = Arc::clone(&delays.0);
        let mut quiet = 0;
        speaker.on_played(move |samples, device| {
            let now = now_micros();
            if let Some(at) = burst_start(samples, &mut quiet) {
                let into = at as u64 * SECOND / u64::from(SAMPLE_RATE);
                let late = (now + device.unsigned_abs() + into) % SECOND;
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push(Duration::from_micros(late));
            }
        });
        delays
    }

    pub(super) fn spread(&self) -> Spread {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Spread::of(heard.get(SETTLING..).unwrap_or_default())
    }
}

/// Index of the sample with which a burst begins. `quiet` counts the silent samples before.
fn burst_start(samples: &[i16], quiet: &mut usize) -> Option<usize> {
    let mut begin = None;
    for (at, sample) in samples.iter().enumerate() {
        if sample.unsigned_abs() < LOUD {
            *quiet += 1;
            continue;
        }
        if *quiet >= PAUSE {
            begin = Some(at);
        }
        *quiet = 0;
    }
    begin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_begins_after_a_pause() {
        let mut quiet = 0;
        let mut block = [0i16; 480];
        block[100] = 9000;
        assert_eq!(burst_start(&block, &mut quiet), None, "no pause before it");
        for _ in 0..20 {
            assert_eq!(burst_start(&[0; 480], &mut quiet), None);
        }
        block[101] = -9000;
        assert_eq!(burst_start(&block, &mut quiet), Some(100));
        assert_eq!(burst_start(&block, &mut quiet), None, "the same burst");
    }
}
