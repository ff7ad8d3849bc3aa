//! Connecting to a host with several addresses, some of which may be dead (RFC 8305).

mod direct;
mod order;
mod race;
mod resolver;

pub use direct::Addresses;
pub(super) use direct::Direct;
