//! The embedded RTMP relay: publish and play under `rtmp://host/live/{streamId}`; and the question
//! whether a stream runs, which is asked of it or of an external one.
//!
//! One task per connection; a publisher's task puts media straight into the bounded queues
//! of its players. In production nginx-rtmp, SRS or a CDN takes its place (`external`).
//!
//! Floors: `gate`, `probe`, `script_data`, `socket`, `status`, `user`;
//! `command`, `media`; `cache`, `conversation`, `queue`; `end_reason`, `player`, `publisher`; `hub`,
//! `transport`; `config`, `handle`, `rights`, `role`; `external`; `connection`; on top `embedded`.

mod cache;
mod command;
mod config;
mod connection;
mod conversation;
mod embedded;
mod end_reason;
mod external;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod gate;
mod handle;
mod hub;
mod media;
mod player;
mod probe;
mod publisher;
mod queue;
mod rights;
mod role;
mod script_data;
mod socket;
mod status;
mod transport;
mod user;

pub use config::{RelayConfig, RelayError};
pub use embedded::Relay;
pub use external::{
    Attempt, ExternalClients, ExternalError, ExternalRelay, Kick, http as external_http,
};
pub use gate::{Anybody, Gate};
pub use handle::RelayHandle;
pub use probe::{StreamProbe, StreamState};
pub use status::{PlayerStatus, PublisherStatus, StreamStatus};
