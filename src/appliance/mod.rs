//! Being a good citizen of the machine: where the log goes, and for the kiosk its putting
//! together, its self-test, and the socket through which a technician asks it.

#[cfg(feature = "kiosk")]
pub mod check;
#[cfg(feature = "kiosk")]
pub mod control;
pub mod journal;
#[cfg(feature = "kiosk")]
pub mod kiosk;
#[cfg(feature = "kiosk")]
mod limits;
#[cfg(feature = "kiosk")]
mod memory;
pub mod output;
#[cfg(feature = "kiosk")]
pub mod plan;
#[cfg(feature = "kiosk")]
pub mod run;
#[cfg(feature = "kiosk")]
pub mod show;
