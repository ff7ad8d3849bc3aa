//! An external relay (nginx with its RTMP module, SRS, a CDN), asked over HTTP which streams run.

mod answer;
mod status_query;

#[cfg(any(test, fuzzing))]
pub(super) use answer::{nginx, srs, tencent};
pub use status_query::{ExternalError, ExternalRelay};
