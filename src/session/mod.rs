//! The call: one file per state, decided purely; a shell that carries the decisions out.
//!
//! ```text
//! Starting -> OutOfService <-> Attract -> Queueing -> Connecting -> InCall -> Ending -> Attract
//! ```
//!
//! Room and media never meet but here: their events come in, and commands to them go out.
//! A lost uplink or downlink is part of `InCall`, not an exit from it.

mod attract;
mod call;
mod connecting;
mod ending;
mod event;
mod handle;
mod in_call;
mod out_of_service;
mod queueing;
mod shell;
mod starting;
mod state;
mod translate;

pub use event::{Action, Command, Event, Facts, Outgoing, Patience, Peer, RoomFailure};
pub use handle::{CommandError, DeviceStatus, Received, Session, SessionHandle, Settings, Status};
pub use state::{EndReason, Fault, FaultCode, Link, Next, Remote, State, Step, Transition};

#[cfg(test)]
mod tests;
