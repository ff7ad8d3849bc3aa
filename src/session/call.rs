//! The running things of a call.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::timeout;

use super::devices::Devices;
use crate::media::{Downlink, DownlinkStats, Uplink};

/// For stopping one stream: a peer that does not answer must not hold up the next call.
pub(super) const STOP_DEADLINE: Duration = Duration::from_secs(3);

/// A member that is played.
pub(super) struct Player {
    pub downlink: Downlink,
    pub name: String,
}

/// Everything that runs for one call.
#[derive(Default)]
pub(super) struct Call {
    pub devices: Option<Devices>,
    /// Devices are being opened.
    pub opening: bool,
    pub push_url: Option<SecretString>,
    pub uplink: Option<Uplink>,
    pub muted: bool,
    /// The self-view is not to be seen.
    pub self_view_hidden: bool,
    /// By userID.
    pub players: BTreeMap<String, Player>,
}

impl Call {
    pub(super) fn downlink_stats(&self) -> BTreeMap<String, DownlinkStats> {
        let stats = |player: &Player| player.downlink.stats().borrow().clone();
        self.players
            .iter()
            .map(|(id, player)| (id.clone(), stats(player)))
            .collect()
    }

    /// Stops all downlinks. They come first when a room is left.
    pub(super) async fn stop_players(&mut self) {
        for (user_id, player) in std::mem::take(&mut self.players) {
            if timeout(STOP_DEADLINE, player.downlink.stop())
                .await
                .is_err()
            {
                log::warn!(user = user_id.as_str(); "a player did not stop in time");
            }
        }
    }

    /// Stops the uplink and closes the devices. They come last when a room is left.
    pub(super) async fn stop_push(&mut self) {
        if let Some(uplink) = self.uplink.take()
            && timeout(STOP_DEADLINE, uplink.stop()).await.is_err()
        {
            log::warn!("the pusher did not stop in time");
        }
        if let Some(devices) = self.devices.take()
            && timeout(STOP_DEADLINE, devices.close()).await.is_err()
        {
            log::warn!("the devices did not close in time");
        }
    }
}
