//! The rooms of a room server and their members, by the rules of the official Node server with
//! its faults mended (rooms made by `add_pusher` are whole, unused ids are given back).
//!
//! Floors: `rules`; `room`; `event`, `live_room` (custom fields and audience), `liveness`
//! (members and ids that are due) and `table`, which keeps the rooms; on top `registry`.

mod event;
mod index;
mod live_room;
mod liveness;
mod registry;
mod room;
mod rules;
mod table;
#[cfg(test)]
mod tests;

pub use event::{RoomChange, RoomEvent};
pub use live_room::{FieldChange, custom_text};
pub use liveness::{Fate, LateMember, Sweep};
pub use registry::{HOLD, Occupancy, Rooms};
pub use room::{Hold, Joining, Member, Refusal, Room, RoomKey, Watcher};
pub use rules::Rules;
