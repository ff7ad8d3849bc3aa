//! Volume and mute of sound cards, as their ALSA mixers have them.

use alsa::Direction;
use alsa::mixer::{Mixer, Selem, SelemChannelId};
use serde::Serialize;

/// One control of a sound card, for recording or for playing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MixerControl {
    pub name: String,
    /// Percent of the control's range, as `amixer` counts; of its first channel.
    pub volume: Option<u8>,
    /// Whether it is muted; absent where there is no switch.
    pub muted: Option<bool>,
}

/// Controls that rule all the others of a card that plays, in the order in which they are looked
/// for.
const MAIN_PLAYBACK: [&str; 5] = ["Master", "PCM", "Speaker", "Headset", "Headphone"];
/// The same of a card that records.
const MAIN_CAPTURE: [&str; 4] = ["Capture", "Mic", "Headset", "Line"];

/// The controls of a device's card in one direction; none where it has no mixer. Blocks.
pub(super) fn controls(device: &str, direction: Direction) -> Vec<MixerControl> {
    let Ok(mixer) = Mixer::new(&card_of(device), true) else {
        return Vec::new();
    };
    selems(&mixer, direction)
        .iter()
        .map(|selem| describe(selem, direction))
        .collect()
}

/// Sets the main control of a device's card to so many percent of its range, and unmutes it.
/// Blocks.
///
/// # Errors
/// In words: the card has no such control, or does not obey.
pub(crate) fn set_level(device: &str, direction: Direction, percent: u8) -> Result<(), String> {
    let card = card_of(device);
    let failed = |error: alsa::Error| format!("the mixer of {card}: {error}");
    let mixer = Mixer::new(&card, true).map_err(failed)?;
    let selems = selems(&mixer, direction);
    let names: Vec<String> = selems.iter().map(name).collect();
    let has_volume = |place: usize| range(&selems[place], direction).is_some();
    let main = main(&names, direction, has_volume)
        .ok_or_else(|| format!("the mixer of {card} has no volume for it, only {names:?}"))?;
    let (selem, name) = (&selems[main], &names[main]);
    let range = range(selem, direction).unwrap_or_default();
    let value = value_of(percent, range);
    let (set, unmute) = match direction {
        Direction::Playback => (
            selem.set_playback_volume_all(value),
            selem
                .has_playback_switch()
                .then(|| selem.set_playback_switch_all(1)),
        ),
        Direction::Capture => (
            selem.set_capture_volume_all(value),
            selem
                .has_capture_switch()
                .then(|| selem.set_capture_switch_all(1)),
        ),
    };
    set.and(unmute.unwrap_or(Ok(()))).map_err(failed)?;
    log::info!(card, control = name.as_str(), percent; "mixer set");
    Ok(())
}

/// `hw:CARD=Codec,DEV=0`, `plughw:Codec,0` and `default` by the name of their mixer.
fn card_of(device: &str) -> String {
    match device.split_once(':') {
        Some((_, arguments)) => {
            let card = arguments.split(',').next().unwrap_or_default();
            format!("hw:{}", card.strip_prefix("CARD=").unwrap_or(card))
        }
        None => device.to_owned(),
    }
}

/// The control that rules the others, of those that have a volume.
fn main(
    names: &[String],
    direction: Direction,
    has_volume: impl Fn(usize) -> bool,
) -> Option<usize> {
    let known = match direction {
        Direction::Playback => &MAIN_PLAYBACK[..],
        Direction::Capture => &MAIN_CAPTURE[..],
    };
    let with_volume = || (0..names.len()).filter(|&place| has_volume(place));
    known
        .iter()
        .find_map(|wanted| with_volume().find(|&place| names[place] == *wanted))
        .or_else(|| with_volume().next())
}

fn selems(mixer: &Mixer, direction: Direction) -> Vec<Selem<'_>> {
    let concerns = |selem: &Selem<'_>| match direction {
        Direction::Playback => selem.has_playback_volume() || selem.has_playback_switch(),
        Direction::Capture => selem.has_capture_volume() || selem.has_capture_switch(),
    };
    mixer
        .iter()
        .filter_map(Selem::new)
        .filter(concerns)
        .collect()
}

fn name(selem: &Selem<'_>) -> String {
    selem.get_id().get_name().unwrap_or_default().to_owned()
}

fn describe(selem: &Selem<'_>, direction: Direction) -> MixerControl {
    let first = SelemChannelId::mono();
    let (volume, on) = match direction {
        Direction::Playback => (
            selem.get_playback_volume(first).ok(),
            selem
                .has_playback_switch()
                .then(|| selem.get_playback_switch(first).ok()),
        ),
        Direction::Capture => (
            selem.get_capture_volume(first).ok(),
            selem
                .has_capture_switch()
                .then(|| selem.get_capture_switch(first).ok()),
        ),
    };
    MixerControl {
        name: name(selem),
        volume: range(selem, direction)
            .zip(volume)
            .map(|(range, value)| percent_of(value, range)),
        muted: on.flatten().map(|on| on == 0),
    }
}

/// Minimum and maximum of the control's volume, if it has one that can be changed.
fn range(selem: &Selem<'_>, direction: Direction) -> Option<(i64, i64)> {
    let (has, range) = match direction {
        Direction::Playback => (
            selem.has_playback_volume(),
            selem.get_playback_volume_range(),
        ),
        Direction::Capture => (selem.has_capture_volume(), selem.get_capture_volume_range()),
    };
    (has && range.1 > range.0).then_some(range)
}

fn percent_of(value: i64, (least, most): (i64, i64)) -> u8 {
    let share = (value - least) as f64 / (most - least).max(1) as f64;
    (share.clamp(0.0, 1.0) * 100.0).round() as u8
}

fn value_of(percent: u8, (least, most): (i64, i64)) -> i64 {
    let share = f64::from(percent.min(100)) / 100.0;
    least + ((most - least) as f64 * share).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixer_of_a_device_is_that_of_its_card() {
        for (device, card) in [
            ("hw:CARD=Codec,DEV=0", "hw:Codec"),
            ("plughw:1,0", "hw:1"),
            ("hw:Codec", "hw:Codec"),
            ("default", "default"),
        ] {
            assert_eq!(card_of(device), card);
        }
    }

    #[test]
    fn the_main_control_is_the_one_that_rules_the_others() {
        use Direction::{Capture, Playback};
        for (names, without, direction, expected) in [
            (
                &["Headphone", "Speaker", "Master"][..],
                "",
                Playback,
                Some(2),
            ),
            (
                &["Headphone", "Speaker", "Master"],
                "Master",
                Playback,
                Some(1),
            ),
            (&["PCM"], "", Playback, Some(0)),
            (&["Mic Boost", "Capture"], "", Capture, Some(1)),
            // One of no known name is better than none.
            (&["Synth"], "", Playback, Some(0)),
            (&["Synth"], "Synth", Playback, None),
            (&[], "", Capture, None),
        ] {
            let owned: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let chosen = main(&owned, direction, |place| names[place] != without);
            assert_eq!(chosen, expected, "{names:?}");
        }
    }

    #[test]
    fn percent_are_of_the_range() {
        for (percent, range, value) in [(0, (-50, 100), -50), (50, (0, 31), 16), (100, (0, 87), 87)]
        {
            assert_eq!(value_of(percent, range), value);
        }
        assert_eq!(percent_of(16, (0, 31)), 52);
        assert_eq!(percent_of(5, (7, 7)), 0);
    }

    #[test]
    fn a_card_that_is_not_there_is_named() {
        assert_eq!(controls("hw:77,0", Direction::Playback), []);
        let error = set_level("hw:77,0", Direction::Playback, 50).expect_err("no such card");
        assert!(error.contains("hw:77"), "{error}");
    }
}
