//! An external relay (nginx with its RTMP module, SRS, a CDN), asked over HTTP which streams run; its clients,
//! where it asks before it lets them in.

mod answer;
mod clients;
mod flow;
mod kick;
mod status_query;

#[cfg(any(test, fuzzing))]
pub(super) use answer::{nginx, srs, tencent};
pub use clients::{Attempt, ExternalClients};
pub use kick::Kick;
pub use status_query::{ExternalError, ExternalRelay, http};
