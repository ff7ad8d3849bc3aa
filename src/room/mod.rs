//! Speaks RTCRoom to a room server: login, rooms, membership with its heartbeat, and the other
//! members of the room. Commands go in through [`RoomHandle`], [`RoomEvent`]s come out.
//!
//! Floors, each of which imports only from below:
//! 1. Values and decisions, the latter pure: `client_settings`, `transport`, `in_flight`,
//!    `unix_time`; `recovery`, `member_diff`, `reachability`, `renewal`.
//! 2. Exchanges: `address`, `http`, `im_error`, `error`, `client`, `idle_room`.
//! 3. The login: `event` with the way out for events, `user_sig`, `link`.
//! 4. `im`, the message channel.
//! 5. One stay in a room: `session_settings`, `seat`, `membership`.
//! 6. The session: `handle`, its commands, and `owner`, its task.

mod address;
mod client;
mod client_settings;
mod error;
mod event;
mod handle;
mod http;
mod idle_room;
mod im;
mod im_error;
mod in_flight;
mod link;
mod member_diff;
mod membership;
mod owner;
mod reachability;
mod recovery;
mod renewal;
mod seat;
mod session_settings;
mod transport;
mod unix_time;
mod user_sig;

pub use crate::config::kiosk::{Credentials, Role, UserCredentials};
pub use client::{Created, Identity, RoomClient};
pub use client_settings::{ClientSettings, SetupError};
pub use error::{ErrorClass, RoomError};
pub use event::{
    ChannelSnapshot, ChannelState, ClosedReason, KickedReason, Message, RoomEvent, RoomSnapshot,
};
pub use handle::RoomHandle;
pub use idle_room::Search;
pub use im::ImSettings;
pub use im_error::ImError;
pub use member_diff::Member;
pub use owner::RoomSession;
pub use session_settings::{EnterRoom, SessionSettings, Timings};
pub use transport::TransportKind;
