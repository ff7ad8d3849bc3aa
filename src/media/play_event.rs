//! Events of the player of a stream, by Tencent's numbers.

use serde::Serialize;

use crate::protocol::events::PlayCode;

/// Something happened to the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlayEvent {
    pub code: PlayCode,
    /// Text for people; carries no secret.
    pub message: String,
    /// `EVT_PARAM1` and `EVT_PARAM2`: width and height of 2009, the try of 2103, the stall in
    /// ms of 2105, kbit/s and frames per second of 200002.
    pub params: [Option<i64>; 2],
}
