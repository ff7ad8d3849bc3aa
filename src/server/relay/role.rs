//! The part that a connection plays in the hub.

use super::hub::{Publication, Subscription};

/// None, or one with its place in the hub; given up when dropped.
#[derive(Debug)]
pub(super) enum Role {
    None,
    Publisher(Publication),
    Player(Subscription),
}

impl Role {
    /// Waits until the hub ends the role.
    pub(super) async fn cancelled(&self) {
        match self {
            Self::None => std::future::pending().await,
            Self::Publisher(publication) => publication.cancelled().cancelled().await,
            Self::Player(subscription) => subscription.cancelled().cancelled().await,
        }
    }

    /// Waits until there may be something for a player.
    pub(super) async fn woken(&self) {
        match self {
            Self::Player(subscription) => subscription.wait().await,
            Self::None | Self::Publisher(_) => std::future::pending().await,
        }
    }
}
