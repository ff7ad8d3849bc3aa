//! The customer's view: members' pictures with the self-view in a corner and one line of text,
//! in a window or, without a screen, only in snapshots.
//!
//! One thread owns the canvas and the window. It takes the latest frames, never makes a sender
//! wait, and composes at least twice a second, so that the screen does not go stale. Without a
//! window it composes only what is asked for.
//!
//! A [`Page`] comes in as data; `pages` and `strings` make words of it in the customer's language
//! (decision 0014).

mod canvas;
mod compose;
mod config;
mod desktop;
mod error;
mod fault;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod layout;
mod page;
mod pages;
mod scaler;
mod scene;
mod shared;
mod snapshot;
mod sources;
pub mod strings;
mod theme;
mod tile;
mod window;
mod worker;

#[cfg(test)]
mod tests;

pub use config::DisplayConfig;
pub use error::DisplayError;
pub use fault::{EndReason, Fault, FaultCode};
pub use handle::{Display, DisplayHandle};
pub use page::{CallPage, ConnectingStep, Lack, Page, ShownMessage};
pub use scene::MemberPicture;
pub use shared::{DisplayStats, Output};
