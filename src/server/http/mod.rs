//! The front door: the RTCRoom protocol over HTTP/1.1.
//!
//! Floors: `app` (what a request may need), `peer`, `body`; `serve` (connections
//! within bounds), `reply` (answers); `call` (a request, read); `member_call` (one whose sender is
//! known), `utility_verbs`; `live_verbs`; `verbs`; on top `router`.

mod app;
mod body;
mod call;
mod call_verb;
mod hooks;
mod live_verbs;
mod member_call;
mod peer;
mod reply;
mod router;
mod serve;
mod utility_verbs;
mod verbs;
mod view;

pub(super) use app::App;
pub use app::HttpSettings;
#[cfg(any(test, fuzzing))]
pub(super) use body::parse as parse_body;
#[cfg(any(test, fuzzing))]
pub(super) use call::reached;
pub(super) use hooks::RelayHooks;
pub(super) use router::router;
pub(super) use serve::serve;
