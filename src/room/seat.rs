//! The requests of a member to its room, one at a time: entering, looking, heartbeat, and
//! coming back.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::protocol::answer::Room;

use super::client::{Identity, RoomClient};
use super::error::{ErrorClass, RoomError};
use super::im::{ChannelHandle, Group};
use super::link::Link;
use super::recovery::{Facts, Presence, Step, Strike, next_step};
use super::session_settings::{EnterRoom, Timings};
use crate::config::kiosk::Role;

/// Tries to enter while the server does not answer properly, with at most 3 s of pauses.
const ENTER_TRIES: u32 = 3;

/// Our place in a room, with the means to keep it.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) link: Arc<Link>,
    /// Changes when our push URL does; the room's id never.
    pub(super) room: Arc<Mutex<Arc<EnterRoom>>>,
    pub(super) timings: Timings,
    /// Rung when the member list is to be looked at now.
    pub(super) refresh: Arc<Notify>,
    pub(super) channel: ChannelHandle,
}

impl Seat {
    pub(super) fn room(&self) -> Arc<EnterRoom> {
        let room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&room)
    }

    /// Tells the room a new push URL or name, now and whenever we have to come back.
    pub(super) async fn renew(&self, renewed: EnterRoom) -> Result<(), RoomError> {
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(renewed);
        self.add().await
    }

    /// Enters the room, with a few tries.
    pub(super) async fn enter(&self) -> Result<(), RoomError> {
        let limit = self.timings.enter_deadline;
        tokio::time::timeout(limit, self.try_to_enter())
            .await
            .unwrap_or(Err(RoomError::Deadline { after: limit }))
    }

    async fn try_to_enter(&self) -> Result<(), RoomError> {
        let mut backoff = self.timings.backoff();
        loop {
            let error = match self.enter_once().await {
                Err(error) if error.class() == ErrorClass::Retry => error,
                settled => return settled,
            };
            let pause = backoff.next_pause(rand::random());
            if backoff.failures() >= ENTER_TRIES {
                return Err(error);
            }
            log::warn!(reason = error.reason(), pause:? = pause; "entering the room is tried again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Makes sure that the room exists before `add_pusher`, or the official servers make a
    /// ghost of it.
    async fn enter_once(&self) -> Result<(), RoomError> {
        match self.room().role {
            Role::Host => self.create().await?,
            Role::Guest => drop(self.look().await?),
        }
        self.join_group().await;
        self.add().await
    }

    async fn create(&self) -> Result<(), RoomError> {
        let room = &self.room();
        self.ask(|client, me| async move {
            client
                .create_room(&me, &room.room_id, &room.room_info)
                .await
        })
        .await
        .map(drop)
    }

    /// Asks for the room's messages. Nothing waits for them: the room server's lists are enough
    /// for a call.
    async fn join_group(&self) {
        let room = self.room();
        let group = Group {
            room_id: room.room_id.clone(),
            nick: room.user_name.clone(),
            avatar: room.user_avatar.clone(),
        };
        self.channel.join(group).await;
    }

    async fn add(&self) -> Result<(), RoomError> {
        let room = &self.room();
        self.ask(
            |client, me| async move { client.add_pusher(&me, &room.request(&me.user_id)).await },
        )
        .await
    }

    /// Reads the room's members, and whether we are one.
    pub(super) async fn look(&self) -> Result<(Room, Me), RoomError> {
        let room_id = &self.room().room_id;
        self.ask(|client, me| async move {
            let room = client.get_pushers(&me, room_id).await?;
            let listed = room.pushers.iter().any(|p| p.user_id == me.user_id);
            let user_id = me.user_id.clone();
            Ok((room, Me { user_id, listed }))
        })
        .await
    }

    pub(super) async fn heartbeat(&self) -> Result<(), RoomError> {
        let room_id = &self.room().room_id;
        let limit = self.timings.heartbeat_deadline();
        self.link
            .ask(limit, |client, me| async move {
                client.heartbeat(&me, room_id).await
            })
            .await
    }

    async fn ask<T, F, R>(&self, request: F) -> Result<T, RoomError>
    where
        F: Fn(RoomClient, Arc<Identity>) -> R + Send,
        R: Future<Output = Result<T, RoomError>> + Send,
        T: Send,
    {
        self.link.ask(self.timings.enter_deadline, request).await
    }

    /// Finds out what became of the room and of us, and comes back if that is the thing to do.
    pub(super) async fn recover(
        &self,
        mut facts: Facts,
        logins_seen: u64,
    ) -> Result<Recovery, RoomError> {
        let presence = match self.look().await {
            Ok((_, me)) if me.listed => Presence::Listed,
            Ok(_) => Presence::NotListed,
            Err(error) if error.class() == ErrorClass::RoomGone => Presence::RoomGone,
            Err(error) => return Err(error),
        };
        facts.relogged_in = self.link.logins() > logins_seen;
        let (step, strike) = next_step(&facts, presence);
        log::info!(facts:? = facts, presence:? = presence, step:? = step; "the server lost us");
        if step == Step::CreateAndAdd {
            self.create().await?;
            // The new room has a new group.
            self.join_group().await;
        }
        if matches!(step, Step::Add | Step::CreateAndAdd) {
            self.add().await?;
        }
        Ok(Recovery { step, strike })
    }
}

/// Our entry in a member list.
#[derive(Debug)]
pub(super) struct Me {
    pub(super) user_id: String,
    pub(super) listed: bool,
}

#[derive(Debug)]
pub(super) struct Recovery {
    pub(super) step: Step,
    pub(super) strike: Option<Strike>,
}
