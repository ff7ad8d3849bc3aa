//! Microphones and loudspeakers, as ALSA tells of them.

use alsa::ctl::{Ctl, DeviceIter};
use alsa::pcm::{HwParams, PCM};
use alsa::{Direction, card};
use serde::Serialize;

use super::mixer::{self, MixerControl};

/// One direction of an ALSA device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoundDevice {
    /// ALSA's name, which stays the same over reboots: `hw:CARD=Device,DEV=0`.
    pub device: String,
    /// Card and device in words.
    pub name: String,
    /// Lowest and highest sample rate in Hz; `None` while another program has the device.
    pub rates: Option<(u32, u32)>,
    /// Volume and mute of its card in this direction.
    pub mixer: Vec<MixerControl>,
}

/// Devices that record. Blocks.
#[must_use]
pub fn microphones() -> Vec<SoundDevice> {
    devices(Direction::Capture)
}

/// Devices that play. Blocks.
#[must_use]
pub fn speakers() -> Vec<SoundDevice> {
    devices(Direction::Playback)
}

fn devices(direction: Direction) -> Vec<SoundDevice> {
    card::Iter::new()
        .flatten()
        .flat_map(|card| of_card(&card, direction))
        .collect()
}

fn of_card(card: &alsa::Card, direction: Direction) -> Vec<SoundDevice> {
    let Ok(control) = Ctl::from_card(card, false) else {
        return Vec::new();
    };
    let Ok(info) = control.card_info() else {
        return Vec::new();
    };
    let (Ok(id), Ok(card_name)) = (info.get_id(), info.get_name()) else {
        return Vec::new();
    };
    DeviceIter::new(&control)
        .filter_map(|number| {
            let number = u32::try_from(number).ok()?;
            let pcm = control.pcm_info(number, 0, direction).ok()?;
            let device = format!("hw:CARD={id},DEV={number}");
            let name = format!("{card_name}: {}", pcm.get_name().unwrap_or_default());
            Some(SoundDevice {
                rates: rates(&device, direction),
                mixer: mixer::controls(&device, direction),
                device,
                name,
            })
        })
        .collect()
}

fn rates(device: &str, direction: Direction) -> Option<(u32, u32)> {
    let pcm = PCM::new(device, direction, true).ok()?;
    let params = HwParams::any(&pcm).ok()?;
    Some((params.get_rate_min().ok()?, params.get_rate_max().ok()?))
}
