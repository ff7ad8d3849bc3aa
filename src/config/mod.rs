//! Configuration: TOML text in, a configuration whose existence proves that it is valid out.
//!
//! Ground floor of the house: pure, reads no file and asks no clock. Every wrong value of a
//! text is reported, one line each, with file, line, column, key, value and what is allowed:
//! `kiosk.toml:12:7: media.video.fps = 500: must be a whole number from 1 to 60`.
//! Unknown keys are refused; secrets are never echoed.

mod document;
#[cfg(feature = "kiosk")]
pub mod kiosk;
pub mod proxy;
mod rules;
#[cfg(feature = "server")]
pub mod server;
#[cfg(all(test, feature = "kiosk", feature = "server"))]
mod tests;

pub use document::{ConfigErrors, Problem};
#[cfg(feature = "kiosk")]
pub use kiosk::KioskConfig;
#[cfg(feature = "server")]
pub use server::ServerConfig;
