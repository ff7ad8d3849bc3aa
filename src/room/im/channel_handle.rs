//! The handle on the message channel: the commands that it takes, and its word on the room.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::room::im_error::ImError;
use crate::room::recovery::EndNotice;

/// Limit for the confirmation of a message, those before it included.
const SEND_DEADLINE: Duration = Duration::from_secs(10);

/// The group of the room that we are in, and the names under which we speak there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::room) struct Group {
    pub(in crate::room) room_id: String,
    pub(in crate::room) nick: String,
    pub(in crate::room) avatar: String,
}

pub(super) type Reply = oneshot::Sender<Result<(), ImError>>;

/// A message to be sent.
#[derive(Debug)]
pub(super) enum Outgoing {
    Text {
        text: String,
    },
    Custom {
        cmd: String,
        msg: String,
    },
    C2c {
        to: String,
        cmd: String,
        msg: String,
    },
}

#[derive(Debug)]
pub(super) enum ChannelCommand {
    Join(Group),
    Quit { room_id: String },
    Send(Outgoing, Reply),
    Logout(oneshot::Sender<()>),
    Wake,
}

/// The handle on the channel. Without a channel every command does nothing or is refused.
#[derive(Debug, Clone)]
pub(in crate::room) struct ChannelHandle(pub(super) Option<Running>);

#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) commands: mpsc::Sender<ChannelCommand>,
    pub(super) announces: watch::Receiver<bool>,
    pub(super) notice: Arc<Mutex<Option<EndNotice>>>,
}

impl ChannelHandle {
    /// Joins a room's group instead of any other, and again whenever it is lost.
    pub(in crate::room) async fn join(&self, group: Group) {
        let _ = self.take_notice();
        self.command(ChannelCommand::Join(group)).await;
    }

    pub(in crate::room) async fn quit(&self, room_id: &str) {
        let room_id = room_id.to_owned();
        self.command(ChannelCommand::Quit { room_id }).await;
    }

    /// Logs out until `wake`, within the deadline of a request.
    pub(in crate::room) async fn logout(&self) {
        let (done, wait) = oneshot::channel();
        self.command(ChannelCommand::Logout(done)).await;
        // Ended is as good as logged out.
        let _ = wait.await;
    }

    /// Logs in again after a logout.
    pub(in crate::room) async fn wake(&self) {
        self.command(ChannelCommand::Wake).await;
    }

    pub(super) async fn send(&self, message: Outgoing) -> Result<(), ImError> {
        let Some(running) = &self.0 else {
            return Err(ImError::Off);
        };
        let (reply, answer) = oneshot::channel();
        let sent = async {
            let sent = running
                .commands
                .send(ChannelCommand::Send(message, reply))
                .await;
            sent.map_err(|_| ImError::Off)?;
            answer.await.unwrap_or(Err(ImError::Off))
        };
        let after = SEND_DEADLINE;
        let unconfirmed = Err(ImError::Unconfirmed { after });
        tokio::time::timeout(after, sent)
            .await
            .unwrap_or(unconfirmed)
    }

    pub(in crate::room) async fn send_text(&self, text: &str) -> Result<(), ImError> {
        let text = text.to_owned();
        self.send(Outgoing::Text { text }).await
    }

    pub(in crate::room) async fn send_custom(&self, cmd: &str, msg: &str) -> Result<(), ImError> {
        let (cmd, msg) = (cmd.to_owned(), msg.to_owned());
        self.send(Outgoing::Custom { cmd, msg }).await
    }

    pub(in crate::room) async fn send_c2c(
        &self,
        to: &str,
        cmd: &str,
        msg: &str,
    ) -> Result<(), ImError> {
        let (to, cmd, msg) = (to.to_owned(), cmd.to_owned(), msg.to_owned());
        self.send(Outgoing::C2c { to, cmd, msg }).await
    }

    /// Whether a change of the member list is announced at once, as far as is known.
    pub(in crate::room) fn announces(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|running| *running.announces.borrow())
    }

    /// Waits until `announces` may have changed.
    pub(in crate::room) async fn changed(&mut self) {
        let changed = match &mut self.0 {
            Some(running) => running.announces.changed().await.is_ok(),
            None => false,
        };
        if !changed {
            std::future::pending::<()>().await;
        }
    }

    /// Takes the last announcement of the room's end, if there is one.
    pub(in crate::room) fn take_notice(&self) -> Option<EndNotice> {
        let notice = &self.0.as_ref()?.notice;
        notice.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn command(&self, command: ChannelCommand) {
        if let Some(running) = &self.0 {
            // Fails when the channel has ended, and then there is nothing to do.
            let _ = running.commands.send(command).await;
        }
    }
}
