//! A whole call on one machine: room server with relay, agent and kiosk in one process, on free
//! ports, measured at the screens and the loudspeakers.

mod collect;
mod command;
pub(crate) mod latency;
pub(crate) mod meter;
pub(crate) mod participants;
pub(crate) mod report;
pub(crate) mod room_type;
pub(crate) mod side;
mod summary;
mod watch;

pub use command::{Options, run};
