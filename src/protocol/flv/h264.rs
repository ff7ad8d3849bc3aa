//! H.264 as FLV carries it: its header (AVCDecoderConfigurationRecord, ISO/IEC 14496-15, 5.3.3.1) and
//! pictures of units with their lengths before them.

use bytes::Buf;

use super::sps::{self, Macroblocks};

/// Type of a unit that is a sequence parameter set.
const SPS: u8 = 7;
/// Most macroblocks that a level of H.264 allows in a picture (level 6.2).
const MOST_OF_ALL: u64 = 139_264;

/// The reason for which a header or a picture is not given to a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("H.264 whose header cannot be read")]
    Header,
    #[error("H.264 whose units do not fill their pictures")]
    Units,
    #[error("a picture of {0}, which is larger than the configuration allows")]
    TooLarge(Macroblocks),
}

/// The form of the pictures behind a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct H264Config {
    /// Bytes of the length before each unit: 1, 2 or 4.
    length_size: usize,
}

impl H264Config {
    /// Reads a header, whose pictures must not have more macroblocks than `most`.
    pub(super) fn read(mut data: &[u8], most: u64) -> Result<Self, Flaw> {
        let [version, _, _, _, lengths, sets] = *data.first_chunk::<6>().ok_or(Flaw::Header)?;
        let length_size = usize::from(lengths & 3) + 1;
        if version != 1 || length_size == 3 {
            return Err(Flaw::Header);
        }
        data.advance(6);
        for _ in 0..sets & 0x1f {
            check_size(set(&mut data)?, most)?;
        }
        let pictures = data.try_get_u8().map_err(|_| Flaw::Header)?;
        for _ in 0..pictures {
            set(&mut data)?;
        }
        Ok(Self { length_size })
    }

    /// Checks a picture: units that fill it, and no parameter set in it that makes it too large.
    pub(super) fn check(self, mut data: &[u8], most: u64) -> Result<(), Flaw> {
        // A tail too short for a length is left alone, as decoders do.
        while data.len() >= self.length_size {
            let length = data.try_get_uint(self.length_size);
            let length = length.map_err(|_| Flaw::Units)?;
            let length = usize::try_from(length).map_err(|_| Flaw::Units)?;
            let (unit, rest) = data.split_at_checked(length).ok_or(Flaw::Units)?;
            check_size(unit, most)?;
            data = rest;
        }
        Ok(())
    }
}

/// A parameter set of a header.
fn set<'a>(data: &mut &'a [u8]) -> Result<&'a [u8], Flaw> {
    let length = data.try_get_u16().map_err(|_| Flaw::Header)?;
    let (set, rest) = data.split_at_checked(length.into()).ok_or(Flaw::Header)?;
    *data = rest;
    Ok(set)
}

fn check_size(unit: &[u8], most: u64) -> Result<(), Flaw> {
    if unit.first().is_none_or(|header| header & 0x1f != SPS) {
        return Ok(());
    }
    match sps::size(unit) {
        None => Err(Flaw::Header),
        // A header that was misread, or is meant to do harm: not worth the name of a size.
        Some(size) if size.count() > MOST_OF_ALL.max(most) => Err(Flaw::Header),
        Some(size) if size.count() > most => Err(Flaw::TooLarge(size)),
        Some(_) => Ok(()),
    }
}
