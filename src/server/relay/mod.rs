//! The embedded RTMP relay: publish and play under `rtmp://host/live/{streamId}`; and the question
//! whether a stream runs, which is asked of it or of an external one.
//!
//! One task per connection; a publisher's task puts media straight into the bounded queues
//! of its players. In production nginx-rtmp, SRS or a CDN takes its place (`external`).
//!
//! Floors: `message`, `status`, `socket`, `probe`; `media`, `command`, `chunk_reader` and
//! `chunk_writer`; `cache`, `queue`, `publisher`, `conversation`, `end_reason`; `hub`, `transport`,
//! `external`; `config`, `handle`; `role`, `connection`; on top `embedded`.

mod cache;
mod chunk_reader;
mod chunk_writer;
mod command;
mod config;
mod connection;
mod conversation;
mod embedded;
mod end_reason;
mod external;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod handle;
mod hub;
mod media;
mod message;
mod probe;
mod publisher;
mod queue;
mod role;
mod socket;
mod status;
mod transport;

pub use config::{RelayConfig, RelayError};
pub use embedded::Relay;
pub use external::{ExternalError, ExternalRelay};
pub use handle::RelayHandle;
pub use probe::{StreamProbe, StreamState};
pub use status::{PlayerStatus, PublisherStatus, StreamStatus};
