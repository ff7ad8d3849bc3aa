//! Keeps agents from hearing themselves: what the loudspeaker plays is taken out of what the
//! microphone hears, and the voice in front of the kiosk is cleaned.
//!
//! [`Echo`] is what loudspeaker and microphone share in a call. The loudspeaker notes what it
//! plays; each microphone that is opened gets a [`Voice`], through which its sound goes. The
//! echo is taken out by GStreamer's `webrtcdsp`; where that does not exist or fails, the
//! microphone is turned down while the far end speaks.

mod call_echo;
mod canceller;
mod delay;
mod half_duplex;
pub mod level;
mod reference;
mod shared;
#[cfg(test)]
mod tests;
mod voice;

pub use super::format::{BLOCK, Block};
pub use call_echo::Echo;
pub use canceller::probe;
pub use shared::EchoStatus;
pub use voice::Voice;
