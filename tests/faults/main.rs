//! What goes wrong in a branch, for real: relays and servers die, peers vanish, answers are
//! garbage. The daemon says what is going on, and the call comes back.

mod garbage;
mod hostile;
mod peers;
mod relay;
mod room_server;
#[path = "../support/mod.rs"]
mod support;
