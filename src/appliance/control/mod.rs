//! The control socket: how `status` and `ctl` talk to the running daemon.
//!
//! A Unix socket; one JSON object per line each way. Requests: `{"command":"status"}`, `call`,
//! `host`, `enter` with `room`, `hangup`, `mute` and `preview` with `on`, `view` with `user` and
//! `on`, `camera` with `name`, `snapshot` with `path` and, if another camera than the live one is
//! meant, `camera`, `message` with `text`, and `custom` with `cmd`, `msg` and, for one user alone,
//! `to`. Answers: `{"ok":true}`, with `status` where it was
//! asked for, or `{"ok":false,"error":"…"}`. Who may open the socket may give orders: it is
//! made with mode 0660, and its directory belongs to the service.

mod answer;
mod callers;
mod client;
mod server;

pub use self::answer::Answer;
pub use self::client::{ControlError, ask, socket};
pub use self::server::ControlServer;
pub use crate::session::Request;
