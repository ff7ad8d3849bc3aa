//! The operator's commands of `rtcroomd`: set it up, know its users, check it.
//!
//! Floors: `ledger` (the users file under a lock, and the key that signs), `certificates`, `qr`,
//! `verdict`; `init`, `user`, `check`; on top `command`.

mod certificates;
mod check;
mod command;
mod init;
mod ledger;
mod qr;
mod user;
mod verdict;

pub use check::warn_about_secrets;
pub use command::Command;
pub use ledger::read;
