//! Actions that the session decides on.

use std::time::Duration;

use super::event::{Peer, SoundDevices};

/// Something to do. None of these blocks; those that can fail answer with an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    /// Not of an agent that was passed over a moment ago.
    FindRoom,
    /// Do not ask for this agent for a while: the customer waited in vain.
    PassOver {
        agent: String,
    },
    CreateRoom,
    StartCapture,
    /// For a stay in that room: the Java server makes the stream's name from it.
    GetPushUrl {
        room_id: String,
    },
    StartPush,
    StopPush,
    /// `add_pusher`, also to tell the room a new push URL.
    Enter {
        room_id: String,
    },
    Play(Peer),
    StopPlay {
        user_id: String,
    },
    /// Ask who is there, and under which URLs.
    LookAtMembers,
    SetMuted(bool),
    /// Tell the others which of our devices work.
    TellDevices(SoundDevices),
    /// Show the self-view or not.
    SetPreview(bool),
    /// Stop playing, `delete_pusher`, stop pushing, close the devices.
    Leave,
    /// Send `Event::Wake` later; replaces an earlier wish, and a new state has none.
    WakeIn(Duration),
}
