//! rtckiosk: the firmware of a video kiosk and the room server it talks to.
//!
//! This file is only the map of the rooms; docs/architecture.md tells who may call whom.

#[cfg(feature = "kiosk")]
pub mod appliance;
#[cfg(feature = "bench")]
pub mod bench;
pub mod config;
#[cfg(all(feature = "kiosk", feature = "server"))]
pub mod demo;
#[cfg(feature = "kiosk")]
pub mod display;
#[cfg(feature = "kiosk")]
pub mod media;
#[cfg(feature = "server")]
pub mod operator;
#[cfg(feature = "kiosk")]
pub mod picture;
pub mod process;
pub mod protocol;
#[cfg(feature = "kiosk")]
pub mod room;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "kiosk")]
pub mod session;
#[cfg(any(feature = "kiosk", feature = "server"))]
pub mod tls;
