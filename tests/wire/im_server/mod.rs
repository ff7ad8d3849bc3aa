//! The message service as its peers know it: room servers by REST, clients by webim, and
//! those who should get nothing.

mod hostile;
pub(crate) mod peer;
mod rest;
mod rooms;
mod talk;
