//! Hears the bursts of a sender at the loudspeaker.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::peers::SECOND;
use crate::bench::spread::Spread;
use crate::media::Speaker;
use crate::media::speaker::SAMPLE_RATE;
use crate::media::time_code::now_micros;

/// Louder than this is a burst, far below the sender's tone.
const LOUD: u16 = 2000;
/// A burst begins after so many quiet samples: 200 ms.
const PAUSE: usize = SAMPLE_RATE as usize / 5;
/// Bursts heard before the player has found its pace.
const SETTLING: usize = 3;

/// How long each burst took; it began with a second of the clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Ear(Arc<Mutex<Vec<Duration>>>);

impl Ear {
    pub(super) fn at(speaker: &Speaker) -> Self {
        let ear = Self::default();
        let heard = Arc::clone(&ear.0);
        let mut quiet = 0;
        speaker.on_played(move |samples, device| {
            let now = now_micros();
            if let Some(at) = begins(samples, &mut quiet) {
                let into = at as u64 * SECOND / u64::from(SAMPLE_RATE);
                let late = (now + device.unsigned_abs() + into) % SECOND;
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push(Duration::from_micros(late));
            }
        });
        ear
    }

    pub(super) fn spread(&self) -> Spread {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Spread::of(heard.get(SETTLING..).unwrap_or_default())
    }
}

/// Where in `samples` a burst begins. `quiet` counts the silent samples before.
fn begins(samples: &[i16], quiet: &mut usize) -> Option<usize> {
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
        assert_eq!(begins(&block, &mut quiet), None, "no pause before it");
        for _ in 0..20 {
            assert_eq!(begins(&[0; 480], &mut quiet), None);
        }
        block[101] = -9000;
        assert_eq!(begins(&block, &mut quiet), Some(100));
        assert_eq!(begins(&block, &mut quiet), None, "the same burst");
    }
}
