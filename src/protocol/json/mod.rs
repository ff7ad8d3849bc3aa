//! JSON from outside: of bounded size, made from what is not quite JSON, with values of other shapes
//! than documented.
//!
//! Floors: `tidy` (text into JSON); `bounded` (JSON into values); `lenient` (values into fields).

mod bounded;
pub(in crate::protocol) mod lenient;
mod tidy;

pub use bounded::{ANSWER_WEIGHT, JsonError, REQUEST_WEIGHT, parse, reason, weight};
