//! The kiosk daemon and what a technician asks of it: the plan of its parts, the kiosk put
//! together, its self-test, and its control socket.

pub mod check;
pub mod control;
mod identity;
pub mod kiosk;
pub mod plan;
pub mod run;
pub mod show;
