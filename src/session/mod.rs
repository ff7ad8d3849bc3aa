//! The call: one file per state, decided purely; a shell that carries the decisions out.
//!
//! ```text
//! Starting -> OutOfService <-> Attract -> Queueing -> Connecting -> InCall -> Ending -> Attract
//! ```
//!
//! Room and media never meet but here: their events come in, and commands to them go out.
//! A lost uplink or downlink is part of `InCall`, not an exit from it.
//!
//! Floors, from the lowest: facts (`transition`, `request`, `event`, `action`,
//! `facts`), `states`, `state`, which joins them, `page`, and the shell (`devices`, `call`,
//! `runner`, `shell`) behind a handle. The session says nothing to customers: it makes a
//! [`Page`] of its state (decision 0014).

mod action;
mod call;
mod devices;
mod event;
mod facts;
mod handle;
mod history;
mod outcome;
mod page;
mod passed_over;
mod permission;
mod request;
mod runner;
mod settings;
mod shell;
mod snapshot_dir;
mod start;
mod state;
mod states;
mod status;
mod transition;
mod translate;

pub use crate::display::{EndReason, Fault, FaultCode, Page};
pub use facts::Patience;
pub use handle::{CommandError, SessionHandle};
pub use page::page;
pub use request::Request;
pub use settings::Settings;
pub use start::Session;
pub use status::{DeviceStatus, Received, Status};
pub use transition::{CallMember, Link, Transition};

#[cfg(test)]
mod tests;
