//! Encoders and decoders, and which of them work on this machine: each is tried once in the life
//! of the process, in the background, with a few frames of the size and rate that calls will have.
//!
//! Software is tried first, so that a call that begins at once finds something; hardware is
//! preferred by the choice as soon as it has passed.

mod choice;
mod decoder;
mod h264;
mod judge;
mod known;
mod probe;
mod report;
mod table;
#[cfg(test)]
mod tests;
mod trial;

pub(super) use decoder::{Decoder, Decoders, choose_decoders};
pub(super) use h264::{Target, bps, build_aac, known_names, request_key, set_controls};
pub use known::{finished, known};
pub(crate) use known::{now, settle, start};
pub use report::{CodecReport, CodecTrial, Kind, Outcome, Shape};
pub(super) use table::H264;
