//! Ways into the server's parsers for fuzz targets and property tests. No part of the product.
//!
//! Nothing panics, whatever goes in, and what holds always is asserted here.

mod front_door;
mod identity;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use front_door::Door;
pub use front_door::{front_door, room_request};
pub use identity::{forwarded_for, users_file};

pub use super::relay::fuzzing::{handshake, relay, status_answers};
