//! The users that this server knows by name, with their roles and revocations: one file, which the
//! operator's tools write and the running server follows.
//!
//! Floors: `user`; `file` (all users, as text and on disk); on top `directory`, which the server asks.

mod directory;
mod file;
mod user;

pub use directory::Directory;
pub use file::{Users, UsersError, is_user_id};
pub use user::{Standing, User};
