//! The size of a picture from the sequence parameter set of H.264 (ITU-T H.264, 7.3.2.1.1), so that
//! nothing is decoded that is larger than wanted.

/// Profiles whose parameter sets say their colour format (ITU-T H.264, 7.3.2.1.1).
const WITH_COLOUR: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// Zeros before a number of Exp-Golomb that fit into its 32 bits.
const MAX_ZEROS: u32 = 31;
/// Frames of one cycle of picture order (ITU-T H.264, 7.4.2.1.1).
const MAX_CYCLE: u32 = 255;

/// A picture's size in macroblocks of 16 by 16 pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Macroblocks {
    pub(super) across: u32,
    pub(super) down: u32,
}

impl Macroblocks {
    pub(super) fn count(self) -> u64 {
        u64::from(self.across) * u64::from(self.down)
    }
}

/// In pixels.
impl std::fmt::Display for Macroblocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pixels = |blocks: u32| u64::from(blocks) * 16;
        write!(f, "{}x{}", pixels(self.across), pixels(self.down))
    }
}

/// Reads a parameter set with its unit's header; `None` when it cannot be read.
pub(super) fn size(unit: &[u8]) -> Option<Macroblocks> {
    let plain = without_emulation(unit.get(1..)?);
    let mut bits = Bits {
        data: &plain,
        at: 0,
    };
    let profile = bits.take(8)?;
    bits.take(16)?;
    bits.number()?;
    if WITH_COLOUR.contains(&profile) {
        colour(&mut bits)?;
    }
    bits.number()?;
    match bits.number()? {
        0 => drop(bits.number()?),
        1 => {
            bits.take(1)?;
            bits.number()?;
            bits.number()?;
            let cycle = bits.number()?;
            if cycle > MAX_CYCLE {
                return None;
            }
            for _ in 0..cycle {
                bits.number()?;
            }
        }
        2 => {}
        _ => return None,
    }
    bits.number()?;
    bits.take(1)?;
    let across = bits.number()?.checked_add(1)?;
    let map_units = bits.number()?.checked_add(1)?;
    let frames_only = bits.take(1)?;
    let down = map_units.checked_mul(2 - frames_only)?;
    Some(Macroblocks { across, down })
}

/// Passes over the colour format and the scaling lists.
fn colour(bits: &mut Bits<'_>) -> Option<()> {
    let format = bits.number()?;
    if format == 3 {
        bits.take(1)?;
    }
    bits.number()?;
    bits.number()?;
    bits.take(1)?;
    if bits.take(1)? == 0 {
        return Some(());
    }
    for list in 0..if format == 3 { 12 } else { 8 } {
        if bits.take(1)? == 1 {
            scaling_list(bits, if list < 6 { 16 } else { 64 })?;
        }
    }
    Some(())
}

fn scaling_list(bits: &mut Bits<'_>, length: usize) -> Option<()> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..length {
        if next != 0 {
            next = (last + bits.signed()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// Takes out the bytes that keep start codes from appearing in a unit (ITU-T H.264, 7.4.1.1).
fn without_emulation(data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(data.len());
    let mut zeros = 0;
    for &byte in data {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

struct Bits<'a> {
    data: &'a [u8],
    /// In bits.
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.data.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// An Exp-Golomb number.
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > MAX_ZEROS {
                return None;
            }
        }
        let rest = self.take(zeros)?;
        Some(((1u64 << zeros) - 1) as u32 + rest)
    }

    /// The same with a sign.
    fn signed(&mut self) -> Option<i64> {
        let number = i64::from(self.number()?);
        Some(if number % 2 == 0 {
            -(number / 2)
        } else {
            number / 2 + 1
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by x264 (the third with interlaced pictures, 4:4:4 and scaling lists) and openh264.
    #[test]
    fn sizes_of_real_headers() {
        for (header, pixels) in SPS {
            let header = hex::decode(header).expect("hexadecimal");
            assert_eq!(size(&header).expect(pixels).to_string(), *pixels);
            for cut in 0..header.len() {
                // Whatever it is, it is no panic.
                let _ = size(&header[..cut]);
            }
        }
    }

    const SPS: &[(&str, &str)] = &[
        (
            "6764000cacd94141fb011000000300100000030320f1429960",
            "320x240",
        ),
        (
            "67640028acd9404403c797c044000003000400000300083c60c658",
            "1088x1920",
        ),
        (
            "67f4001e919b2816849b011000000300100000030321f1429960",
            "720x576",
        ),
        (
            "6764003cacd9401e000876c044000003000400000300083c20106580",
            "7680x4320",
        ),
        ("6742c01e8c8d40501ed00f08846a", "640x480"),
    ];

    proptest! {
        #[test]
        fn any_bytes_are_read(data in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = size(&data);
        }
    }
}
