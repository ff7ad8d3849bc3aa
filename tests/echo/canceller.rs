//! The canceller and the half-duplex gate, block by block, faster than real time.

use gstreamer::ClockTime;
use rtckiosk::config::kiosk::{EchoControl, VoiceConfig};
use rtckiosk::media::Echo;
use rtckiosk::media::echo::level::erle_db;
use rtckiosk::media::echo::{BLOCK, Voice};

use crate::speech::{Path, RATE, speech};

const CANCEL: VoiceConfig = VoiceConfig {
    echo: EchoControl::Cancel,
    noise_suppression: false,
    gain_control: false,
};
/// As a kiosk is by default.
const ALL: VoiceConfig = VoiceConfig {
    noise_suppression: true,
    gain_control: true,
    ..CANCEL
};

/// A kiosk's sound in a simulated room.
struct Kiosk {
    echo: Echo,
    voice: Voice,
    path: Path,
    /// Time of the next block.
    at: ClockTime,
    heard: Vec<i16>,
    sent: Vec<i16>,
}

impl Kiosk {
    fn new(config: VoiceConfig, path: Path) -> Self {
        rtckiosk::media::init().expect("GStreamer with all elements");
        let echo = Echo::new(config);
        Self {
            voice: echo.voice().expect("something is to be done"),
            echo,
            path,
            at: ClockTime::from_seconds(1000),
            heard: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Plays `far` while `near` is spoken.
    fn talk(&mut self, far: &[i16], near: &[i16]) {
        let near = near.chunks(BLOCK).chain(std::iter::repeat(&[][..]));
        for (far, near) in far.chunks_exact(BLOCK).zip(near) {
            self.echo.played(self.at, far);
            self.hear(far, near);
        }
    }

    /// Lets the microphone hear what is in the air.
    fn hear(&mut self, far: &[i16], near: &[i16]) {
        let heard = self.path.hear(far, near);
        self.voice
            .push(self.at, &heard, |_, block| self.sent.extend(block));
        self.heard.extend(heard);
        self.at += ClockTime::from_mseconds(10);
    }
}

fn seconds(wave: &[i16], from: f64, to: f64) -> &[i16] {
    &wave[(from * RATE as f64) as usize..(to * RATE as f64) as usize]
}

impl Kiosk {
    /// Measures the loss of echo from microphone to uplink, between two times in seconds.
    fn erle(&self, from: f64, to: f64) -> f64 {
        erle_db(
            seconds(&self.heard, from, to),
            seconds(&self.sent, from, to),
        )
    }
}

#[test]
fn the_echo_is_20_db_quieter_from_the_first_word_on() {
    let far = speech(1, 6.0);
    for config in [CANCEL, ALL] {
        for delay_ms in [40, 80, 120, 250] {
            for loss_db in [-6.0, -12.0] {
                let mut kiosk = Kiosk::new(config, Path::new(delay_ms, loss_db));
                kiosk.talk(&far, &[]);
                let erle = [(0.0, 1.0), (1.0, 2.0), (2.0, 6.0)].map(|(a, b)| kiosk.erle(a, b));
                println!("{delay_ms} ms, {loss_db} dB: {erle:.1?} dB");
                let quieter = erle.iter().all(|erle| *erle >= 20.0);
                assert!(quieter, "{delay_ms} ms, {loss_db} dB: {erle:?}");
                let status = kiosk.echo.status();
                assert_eq!(status.mode, EchoControl::Cancel);
                let (heard, sent) = (status.heard_db.unwrap(), status.sent_db.unwrap());
                assert!((heard - loss_db).abs() < 3.0, "{status:?}");
                assert!(heard - sent >= 20.0, "{status:?}");
            }
        }
    }
}

/// Samples by which `sent` is later than `spoken`, at most 40 ms, and how much alike they are
/// then: the mean correlation of pieces of 20 ms, which another gain does not lower, weighted by
/// their levels.
fn alike(spoken: &[i16], sent: &[i16]) -> (usize, f64) {
    let product = |a: &[i16], b: &[i16]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let product_after = |delay: &usize| product(spoken, &sent[*delay..]);
    let delay = (0..RATE / 25)
        .step_by(8)
        .max_by(|a, b| product_after(a).total_cmp(&product_after(b)))
        .unwrap();
    let pieces = spoken
        .chunks(RATE / 50)
        .zip(sent[delay..].chunks(RATE / 50));
    let (sum, weights) = pieces.fold((0.0, 0.0), |(sum, weights), (a, b)| {
        let weight = product(a, a).sqrt();
        let other = product(b, b).sqrt().max(1.0);
        (sum + product(a, b) / other, weights + weight)
    });
    (delay, sum / weights)
}

/// By how much the near end may be quieter in double talk than when it speaks alone.
const SENDING_LOSS_DB: f64 = 6.0;
/// Maximum that gain control may add to a voice of the usual level.
const GAIN_DB: f64 = 12.0;

/// Measures the gain from the near end's voice to the uplink, once it is known, while nobody
/// else speaks.
fn gain_alone(config: VoiceConfig, near: &[i16]) -> f64 {
    let mut kiosk = Kiosk::new(config, Path::new(40, -6.0));
    kiosk.talk(&vec![0; near.len()], near);
    let sent = seconds(&kiosk.sent, 4.0, 9.0);
    assert!(sent.iter().all(|s| s.abs() < i16::MAX), "it is clipped");
    -erle_db(seconds(near, 4.0, 9.0), sent)
}

#[test]
fn who_speaks_at_the_same_time_is_heard() {
    let (far, near) = (speech(1, 9.0), speech(2, 5.0));
    let alone = [CANCEL, ALL].map(|config| gain_alone(config, &near.repeat(2)));
    println!("alone: {alone:.1?} dB louder, without and with AGC");
    assert!(alone[0].abs() < 1.0, "{alone:?}");
    assert!((0.0..GAIN_DB).contains(&alone[1]), "{alone:?}");
    let near = [vec![0; 4 * RATE], near].concat();
    for (loss_db, delay_ms) in [(-6.0, 40), (-12.0, 80), (-6.0, 120)] {
        for (config, alone) in [CANCEL, ALL].into_iter().zip(alone) {
            let mut kiosk = Kiosk::new(config, Path::new(delay_ms, loss_db));
            kiosk.talk(&far, &near);
            let spoken = seconds(&near, 4.0, 9.0);
            let sent = seconds(&kiosk.sent, 4.0, 9.0);
            let lost = alone + erle_db(spoken, sent);
            let (delay, alike) = alike(spoken, sent);
            let case = format!("{delay_ms} ms, {loss_db} dB, AGC {}", config.gain_control);
            let delay = delay as f64 / 48.0;
            println!(
                "{case}: {lost:.1} dB quieter than alone, {alike:.2} alike, {delay:.1} ms later"
            );
            assert!(
                (-3.0..=SENDING_LOSS_DB).contains(&lost),
                "{case}: {lost} dB quieter"
            );
            assert!(alike >= 0.6, "{case}: {alike} alike");
            assert!(delay < 20.0, "{case}: {delay} ms later");
        }
    }
}

#[test]
fn clocks_that_run_apart_do_not_bring_the_echo_back() {
    let far = speech(1, 20.0);
    for ppm in [-100.0, 100.0] {
        // In the time of the microphone.
        let stretch = 1.0 + ppm / 1e6;
        let in_the_air: Vec<i16> = (0..far.len() - RATE / 10)
            .map(|n| {
                let at = n as f64 / stretch;
                let (first, share) = (at as usize, at.fract());
                (f64::from(far[first]) * (1.0 - share) + f64::from(far[first + 1]) * share) as i16
            })
            .collect();
        let mut kiosk = Kiosk::new(CANCEL, Path::new(80, -8.0));
        let start = kiosk.at;
        let mut played = far.chunks_exact(BLOCK).enumerate().peekable();
        for air in in_the_air.chunks_exact(BLOCK) {
            let due =
                |k: usize| start + ClockTime::from_nseconds((k as f64 * 1e7 * stretch) as u64);
            while let Some((k, block)) = played.next_if(|(k, _)| due(*k) <= kiosk.at) {
                kiosk.echo.played(due(k), block);
            }
            kiosk.hear(air, &[]);
        }
        let erle = [(2.0, 8.0), (8.0, 14.0), (14.0, 19.0)].map(|(a, b)| kiosk.erle(a, b));
        println!("{ppm} ppm: {erle:.1?} dB");
        assert!(erle.iter().all(|erle| *erle >= 20.0), "{ppm} ppm: {erle:?}");
    }
}

#[test]
fn a_device_that_comes_back_is_cancelled_again_after_two_seconds() {
    let far = speech(1, 4.0);
    let mut kiosk = Kiosk::new(CANCEL, Path::new(60, -8.0));
    kiosk.talk(&far, &[]);
    // The microphone is away for a while, and the loudspeaker plays on.
    for block in far.chunks_exact(BLOCK).take(130) {
        kiosk.echo.played(kiosk.at, block);
        kiosk.path.hear(block, &[]);
        kiosk.at += ClockTime::from_mseconds(10);
    }
    kiosk.voice = kiosk.echo.voice().unwrap();
    kiosk.talk(&far, &[]);
    // The loudspeaker is away, the microphone is not; then it has another buffer.
    for _ in 0..77 {
        kiosk.hear(&[0; BLOCK], &[]);
    }
    kiosk.path = Path::new(110, -8.0);
    let back = kiosk.sent.len() as f64 / RATE as f64;
    kiosk.talk(&far, &[]);
    let erle = [(2.0, 4.0), (6.0, 8.0), (back + 2.0, back + 4.0)].map(|(a, b)| kiosk.erle(a, b));
    println!("{erle:.1?} dB");
    assert!(erle.iter().all(|erle| *erle >= 20.0), "{erle:?}");
}

#[test]
fn half_duplex_sends_either_the_near_end_or_nothing() {
    let config = VoiceConfig {
        echo: EchoControl::HalfDuplex,
        ..VoiceConfig::default()
    };
    let far = speech(1, 3.0);
    let near = speech(2, 2.0);
    for delay_ms in [40, 80, 120] {
        let mut kiosk = Kiosk::new(config, Path::new(delay_ms, -8.0));
        kiosk.talk(&far, &[]);
        let erle = kiosk.erle(0.0, 3.0);
        // Somebody answers 0.2 s after the last word: within the hang-over.
        let silence = vec![0; RATE / 5 + near.len()];
        let answer = [vec![0; RATE / 5], near.clone()].concat();
        kiosk.talk(&silence, &answer);
        let lost = |from: f64, to: f64| {
            erle_db(
                seconds(&near, from, to),
                seconds(&kiosk.sent, from + 3.2, to + 3.2),
            )
        };
        let lost = [lost(0.0, 0.2), lost(0.2, 2.0)];
        println!("{delay_ms} ms: {erle:.1} dB, near end {lost:.1?} dB quieter");
        assert_eq!(kiosk.echo.status().mode, EchoControl::HalfDuplex);
        assert!(erle >= 20.0, "{delay_ms} ms: {erle}");
        assert!(lost.iter().all(|lost| lost.abs() < 1.0), "{lost:?}");
    }
}
