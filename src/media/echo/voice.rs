//! The microphone's sound on its way to whoever sends it: cut into blocks, each freed of the
//! echo and cleaned.

use std::sync::Arc;

use gstreamer as gst;

use super::canceller::Canceller;
use super::delay::DelayFinder;
use super::half_duplex::{self, HalfDuplex};
use super::level::{ReturnMeter, SPEECH_DB, db, power};
use super::shared::Shared;
use crate::config::kiosk::EchoControl;
use crate::media::error::MediaError;
use crate::media::format::{BLOCK, Block, SAMPLE_RATE};

/// Blocks of the far end's first speech, 1.5 s, in which the microphone is turned down as well,
/// unless somebody in front of it is louder than an echo: the delay is found meanwhile, and the
/// room learnt.
const LEARNING: u32 = 150;
/// The same after the delay that is allowed for has changed: 1 s.
const LEARNING_AGAIN: u32 = 100;

/// The processing of one microphone's sound, from its opening to its end.
#[derive(Debug)]
pub struct Voice {
    shared: Arc<Shared>,
    /// Samples that do not fill a block yet.
    waiting: Vec<i16>,
    canceller: Option<Canceller>,
    finder: DelayFinder,
    gate: Option<HalfDuplex>,
    /// Blocks with speech of the far end until the canceller needs no gate beside it.
    learning: Option<u32>,
    /// Gain of the last block.
    gain: f64,
    meter: ReturnMeter,
}

impl Voice {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let mut voice = Self {
            shared,
            waiting: Vec::with_capacity(2 * BLOCK),
            canceller: None,
            finder: DelayFinder::default(),
            gate: None,
            learning: None,
            gain: 1.0,
            meter: ReturnMeter::default(),
        };
        let config = voice.shared.config;
        if config.echo == EchoControl::HalfDuplex {
            voice.gate = Some(HalfDuplex::default());
        }
        voice.shared.set_mode(config.echo, None);
        let cancel = config.echo == EchoControl::Cancel;
        if cancel || config.noise_suppression || config.gain_control {
            match Canceller::start(config, cancel) {
                Ok(canceller) => {
                    voice.canceller = Some(canceller);
                    if cancel {
                        (voice.gate, voice.learning) =
                            (Some(HalfDuplex::default()), Some(LEARNING));
                    }
                }
                Err(error) => voice.do_without(&error.to_string()),
            }
        }
        voice
    }

    /// Goes on without the elements, half duplex if the echo was theirs.
    fn do_without(&mut self, reason: &str) {
        (self.canceller, self.learning) = (None, None);
        let reason = format!("the voice processor does not work: {reason}");
        if self.shared.config.echo == EchoControl::Off {
            log::warn!("{reason}");
            self.shared.set_mode(EchoControl::Off, Some(reason));
            return;
        }
        log::warn!("{reason}; the microphone is turned down while the far end speaks");
        self.gate = Some(HalfDuplex::default());
        self.shared.set_mode(EchoControl::HalfDuplex, Some(reason));
    }

    /// Takes a new canceller for an echo at another place of the reference: what the old one has
    /// learnt is wrong there, and one that looks for the delay itself stays at the old for seconds.
    fn begin_again(&mut self) -> Result<(), MediaError> {
        self.canceller = Some(Canceller::start(self.shared.config, true)?);
        self.gate.get_or_insert_default();
        self.learning = self.learning.max(Some(LEARNING_AGAIN));
        Ok(())
    }

    /// Takes mono samples at 48 kHz, the first of them captured at `captured`, and gives every
    /// block that they complete with the time of its first sample.
    pub fn push(
        &mut self,
        captured: gst::ClockTime,
        samples: &[i16],
        mut give: impl FnMut(gst::ClockTime, Block),
    ) {
        let mut time = captured.saturating_sub(length(self.waiting.len()));
        self.waiting.extend_from_slice(samples);
        let mut waiting = std::mem::take(&mut self.waiting);
        let blocks = waiting.chunks_exact(BLOCK);
        for samples in blocks {
            let mut block = [0; BLOCK];
            block.copy_from_slice(samples);
            self.process(time, &mut block);
            give(time, block);
            time += length(BLOCK);
        }
        waiting.drain(..waiting.len() / BLOCK * BLOCK);
        self.waiting = waiting;
    }

    fn process(&mut self, time: gst::ClockTime, block: &mut Block) {
        let far = self.shared.played_at(time);
        let (far_power, heard) = (power(&far.now), power(block));
        if let Some(canceller) = &mut self.canceller {
            let delay = self.finder.add(&far.now, db(far_power), block);
            let mut done = canceller.process(&far.echoing, block);
            let cancels = self.shared.config.echo == EchoControl::Cancel;
            if cancels && delay.is_some_and(|delay| self.shared.found(delay)) {
                done = done.and_then(|()| self.begin_again());
            }
            if let Err(error) = done {
                self.do_without(&error.to_string());
            }
        }
        if let Some(gate) = &mut self.gate {
            let learnt = self.learning == Some(0);
            let gain = match learnt {
                true => 1.0,
                false => gate.gain(db(far_power), db(heard)),
            };
            half_duplex::apply(block, self.gain, gain);
            self.gain = gain;
            if learnt {
                (self.gate, self.learning) = (None, None);
            }
        }
        if let Some(left) = &mut self.learning {
            *left -= u32::from(db(far_power) > SPEECH_DB && *left > 0);
        }
        if let Some(found) = self.meter.add(far_power, heard, power(block)) {
            self.shared.measured(found);
        }
    }
}

/// Length of so many samples.
fn length(samples: usize) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(samples as u64 * 1_000_000_000 / u64::from(SAMPLE_RATE))
}
