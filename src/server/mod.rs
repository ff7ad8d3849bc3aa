//! The room server: the RTCRoom protocol over HTTP, the message service, and the relay that carries
//! the streams.
//!
//! Floors, each importing only from those below it:
//! 1. `clock`, `budget` (memory), `limits`, `accept` and `places` (of connections), `users` (who they are), `keys`, `urls` (where streams go)
//! 2. `relay` (carries the streams), `auth` (proves users)
//! 3. `rooms` (keeps rooms and their members), `relay_probe` (asks whichever relay there is)
//! 4. `im` (carries messages), `reaper` (drops members that left without goodbye), `gate` (says who
//!    publishes and plays)
//! 5. `http` (the front door), `warden` (ends rights when their reason ends)
//! 6. `settings`, `handle`
//! 7. `room_server` (wires all of them together)
//! 8. `fuzzing` (ways in for tests)

mod accept;
mod auth;
mod budget;
mod clock;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod handle;
mod http;
mod im;
mod keys;
mod limits;
mod places;
mod reaper;
pub mod relay;
mod relay_probe;
mod room_server;
pub mod rooms;
mod settings;
#[cfg(test)]
mod tests;
mod urls;
pub mod users;
mod warden;

pub use auth::AuthSettings;
pub use budget::{Budget, Budgets};
pub use clock::Now;
pub use handle::{ServerHandle, ServerStats};
pub use http::HttpSettings;
pub use im::ImSettings;
pub use keys::KeyError;
pub use limits::Rate;
pub use room_server::{RoomServer, ServerError};
pub use settings::{RelaySettings, Settings};
pub use urls::UrlSettings;
