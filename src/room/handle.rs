//! The handle on a room session: the commands that it takes, and its state.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::protocol::answer::Room;

use super::client::Created;
use super::error::RoomError;
use super::event::RoomSnapshot;
use super::idle_room::Search;
use super::im::ChannelHandle;
use super::session_settings::EnterRoom;

pub(super) type Reply<T> = oneshot::Sender<Result<T, RoomError>>;

#[derive(Debug)]
pub(super) enum RoomCommand {
    ListRooms(Reply<Vec<Room>>),
    FindIdleRoom(Search, Reply<Option<Room>>),
    GetPushUrl(String, Reply<String>),
    CreateRoom {
        room_id: String,
        room_info: String,
        reply: Reply<Created>,
    },
    Enter(EnterRoom, Reply<()>),
    Leave(Reply<()>),
    Logout(Reply<()>),
    Stop(Reply<()>),
}

/// The handle on a room session. When the last clone is dropped the session ends at once,
/// without a word to the server.
#[derive(Debug, Clone)]
pub struct RoomHandle {
    pub(super) commands: mpsc::Sender<RoomCommand>,
    pub(super) snapshot: watch::Receiver<RoomSnapshot>,
    pub(super) refresh: Arc<Notify>,
    pub(super) channel: ChannelHandle,
}

impl RoomHandle {
    /// Lists all active rooms.
    ///
    /// # Errors
    /// As every request: within 15 s; [`RoomError::class`] tells what to do.
    pub async fn list_rooms(&self) -> Result<Vec<Room>, RoomError> {
        self.send(RoomCommand::ListRooms).await
    }

    /// Finds the room of an agent who waits, by the rules of `idle_room`. A server that knows `call`
    /// holds it for us for a while.
    ///
    /// # Errors
    /// As every request.
    pub async fn find_idle_room(&self, search: Search) -> Result<Option<Room>, RoomError> {
        self.send(|reply| RoomCommand::FindIdleRoom(search, reply))
            .await
    }

    /// Asks for a URL to push to, for a stay in that room.
    ///
    /// # Errors
    /// As every request.
    pub async fn get_push_url(&self, room_id: &str) -> Result<String, RoomError> {
        let room_id = room_id.to_owned();
        self.send(|reply| RoomCommand::GetPushUrl(room_id, reply))
            .await
    }

    /// Reserves a room; for an empty id the server invents one. The server may take the room back
    /// if nobody enters within 30 s, so a host reserves it again on entering.
    ///
    /// # Errors
    /// As every request, and a `room_info` over 1024 bytes.
    pub async fn create_room(&self, room_id: &str, room_info: &str) -> Result<Created, RoomError> {
        let (room_id, room_info) = (room_id.to_owned(), room_info.to_owned());
        self.send(|reply| RoomCommand::CreateRoom {
            room_id,
            room_info,
            reply,
        })
        .await
    }

    /// Enters a room; from then on heartbeats are sent and members announced, until `leave` or
    /// an event that says that it is over. In that room already, renews push URL and name there.
    ///
    /// # Errors
    /// As every request, within 20 s and after at most three tries; class `RoomGone` or `Full`
    /// when somebody else was faster; [`RoomError::LeftMeanwhile`] when `leave`, or a newer push
    /// URL, came in between.
    pub async fn enter(&self, room: EnterRoom) -> Result<(), RoomError> {
        match self.send(|reply| RoomCommand::Enter(room, reply)).await {
            Err(RoomError::Stopped) if !self.commands.is_closed() => Err(RoomError::LeftMeanwhile),
            other => other,
        }
    }

    /// Leaves the room that we are in or about to enter; does nothing outside a room.
    ///
    /// # Errors
    /// No confirmation by the server within 2 s; we have left all the same, and the server will
    /// notice that heartbeats are missing.
    pub async fn leave(&self) -> Result<(), RoomError> {
        self.send(RoomCommand::Leave).await
    }

    /// Leaves the room and gives the login back; the next command logs in again.
    ///
    /// # Errors
    /// Only when the session has stopped.
    pub async fn logout(&self) -> Result<(), RoomError> {
        self.send(RoomCommand::Logout).await
    }

    /// Leaves, logs out and ends the session, within about 4 s.
    ///
    /// # Errors
    /// Only when the session has stopped before.
    pub async fn stop(&self) -> Result<(), RoomError> {
        self.send(RoomCommand::Stop).await
    }

    /// Looks at the member list now, after a change that was learnt in another way.
    pub fn refresh(&self) {
        self.refresh.notify_one();
    }

    /// Sends a text to everybody in the room, in order with earlier messages.
    ///
    /// # Errors
    /// [`RoomError::Im`] within 10 s: no room, no message channel, or over 8898 bytes. A message
    /// that was not confirmed is not sent again.
    pub async fn send_text(&self, text: &str) -> Result<(), RoomError> {
        Ok(self.channel.send_text(text).await?)
    }

    /// Sends a command to the programs of everybody in the room.
    ///
    /// # Errors
    /// As `send_text`.
    pub async fn send_custom(&self, cmd: &str, msg: &str) -> Result<(), RoomError> {
        Ok(self.channel.send_custom(cmd, msg).await?)
    }

    /// Sends a command to one user, who need not be in the room.
    ///
    /// # Errors
    /// As `send_text`, but for over 12000 bytes, and not for want of a room.
    pub async fn send_c2c(&self, to: &str, cmd: &str, msg: &str) -> Result<(), RoomError> {
        Ok(self.channel.send_c2c(to, cmd, msg).await?)
    }

    /// Returns the session's state, to be read or watched.
    #[must_use]
    pub fn snapshot(&self) -> watch::Receiver<RoomSnapshot> {
        self.snapshot.clone()
    }

    async fn send<T>(&self, command: impl FnOnce(Reply<T>) -> RoomCommand) -> Result<T, RoomError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| RoomError::Stopped)?;
        answer.await.unwrap_or(Err(RoomError::Stopped))
    }
}
