//! FLV taken apart: the media messages of a stream become packets of its picture and its sound, ready
//! for a decoder. Nothing of it is trusted: what is odd costs itself, and is named.
//!
//! Floors: `aac`, `codec`, `h264`, `sps`, `timeline`; `aggregate`, `tag`; `demuxer`.

mod aac;
mod aggregate;
mod codec;
mod demuxer;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod h264;
mod sps;
mod tag;
#[cfg(test)]
mod tests;
mod timeline;

pub use aac::AacConfig;
pub use codec::Codec;
pub use demuxer::{Demuxer, FlvEvent, Packet, Track};
