//! The loudspeaker: mixes what the members say and plays it for as long as the call lives.
//!
//! Each member has an input that holds sound back until its time has come (see `input`). The
//! device pulls: whenever it wants ten milliseconds, the inputs are mixed and a member who has
//! nothing to say is silent. So the sound card's clock rules, inputs come and go at any time, and
//! no stream can hold up another.

mod device;
mod input;
mod keeper;
mod loudspeaker;
mod member_input;
mod mixer;
mod shared_mixer;
mod stretch;

pub use super::format::SAMPLE_RATE;
pub use input::{Played, Timing};
pub use loudspeaker::Speaker;
pub use member_input::SpeakerInput;
