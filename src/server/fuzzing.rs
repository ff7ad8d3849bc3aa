//! Ways into the server's parsers for fuzz targets and property tests. No part of the product.
//!
//! Whatever goes in: nothing panics, and what holds always is asserted here.

pub use super::http::fuzzing::{front_door, room_request};
pub use super::relay::fuzzing::{handshake, relay, status_answers};
