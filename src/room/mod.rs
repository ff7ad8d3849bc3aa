//! Speaks RTCRoom to a room server: login, rooms, membership with its heartbeat, and who else
//! is in the room. Commands go in through [`RoomHandle`], [`RoomEvent`]s come out.
//!
//! Decisions are pure (`recovery`, `member_diff`, `idle_room`, `health`); `link`
//! keeps the login, `membership` and `seat` are one stay in a room, `im` is the message channel
//! beside them, and `session` owns all of it.

use std::time::{SystemTime, UNIX_EPOCH};

mod address;
pub mod client;
pub mod error;
pub mod event;
mod health;
pub mod idle_room;
mod im;
mod link;
pub mod member_diff;
mod membership;
pub mod recovery;
mod seat;
pub mod session;
mod settings;

pub use crate::config::kiosk::Credentials;
pub use crate::config::kiosk::Role;
pub use crate::config::kiosk::UserCredentials;
pub use client::{ClientSettings, Created, Identity, RoomClient, SetupError};
pub use error::{Class, RoomError, TransportKind};
pub use event::{
    ChannelSnapshot, ChannelState, ClosedReason, KickedReason, Message, RoomEvent, RoomSnapshot,
};
pub use im::{ImError, ImSettings};
pub use member_diff::Member;
pub use session::{EnterRoom, RoomHandle, RoomSession, SessionSettings, Timings};

fn unix_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}
