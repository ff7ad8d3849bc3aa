//! The header of AAC (AudioSpecificConfig, ISO/IEC 14496-3, 1.6.2.1).

/// Rates in Hz by their number.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
/// Number which says that the rate itself follows.
const EXPLICIT: u32 = 15;
/// Highest rate in Hz that is believed.
const MAX_RATE: u32 = 96_000;

/// The form of the sound behind a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AacConfig {
    /// Samples per second.
    pub rate: u32,
    /// 0: the sound itself says it.
    pub channels: u32,
}

impl AacConfig {
    /// Reads a header; `None` when it cannot be one.
    #[must_use]
    pub fn read(data: &[u8]) -> Option<Self> {
        // Type, rate by number, rate and channels have at most 11 + 4 + 24 + 4 bits.
        let mut bits = [0; 8];
        let length = data.len().min(bits.len());
        bits[..length].copy_from_slice(&data[..length]);
        let (bits, mut left) = (u64::from_be_bytes(bits), length * 8);
        let mut at = 0;
        let mut take = |count: usize| -> Option<u32> {
            left = left.checked_sub(count)?;
            at += count;
            Some((bits >> (64 - at) & ((1 << count) - 1)) as u32)
        };
        if take(5)? == 31 {
            take(6)?;
        }
        let rate = match take(4)? {
            EXPLICIT => take(24)?,
            number => *RATES.get(number as usize)?,
        };
        let channels = match take(4)? {
            7 => 8,
            8.. => return None,
            channels => channels,
        };
        (1..=MAX_RATE)
            .contains(&rate)
            .then_some(Self { rate, channels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rate_and_channels() {
        for (header, expected) in [
            (&[0x12, 0x10][..], Some((44_100, 2))),
            (&[0x11, 0x88], Some((48_000, 1))),
            (&[0x17, 0x80, 0x3e, 0x80, 0x10], Some((32_000, 2))),
            (&[0xf8, 0xe6, 0x40], Some((48_000, 2))),
            (&[0x16, 0x88], None),
            (&[0x17, 0x80, 0, 0, 0x10], None),
            (&[0x12], None),
            (&[0x12, 0x78], None),
            (&[], None),
        ] {
            let config = AacConfig::read(header).map(|c| (c.rate, c.channels));
            assert_eq!(config, expected, "{header:x?}");
        }
    }
}
