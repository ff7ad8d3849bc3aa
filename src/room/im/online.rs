//! One login to the message service: its two polls, and the messages that are sent with it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::channel::{Channel, ImLogin};
use super::channel_handle::{ChannelCommand, Outgoing, Reply};
use super::client::ImIdentity;
use super::effect::{Effect, effect_of, event_of_c2c};
use super::group_listener::{GroupEvent, GroupListener};
use super::ordinary_poll::{OrdinaryPoll, Polled};
use super::send_queue::SendQueue;
use super::trouble::{POLL_FAILURES, Trouble, reason_of, trouble_of};
use crate::protocol::webim::{Content, GroupMessage};
use crate::room::event::ChannelState;
use crate::room::im_error::ImError;

/// Maximum number of messages that wait to be sent.
const MAX_OUTGOING: usize = 16;

/// The end of a login.
#[derive(Debug)]
pub(super) enum LoginEnd {
    /// Nobody gives commands any more.
    Ended,
    LoggedOut,
    Failed(ImError),
}

pub(super) struct Online<'a> {
    channel: &'a mut Channel,
    me: Arc<ImIdentity>,
    ordinary: OrdinaryPoll,
    listener: Option<GroupListener>,
    sending: SendQueue,
    /// Requests that leave groups.
    farewells: JoinSet<()>,
}

impl<'a> Online<'a> {
    pub(super) fn new(channel: &'a mut Channel, login: ImLogin) -> Self {
        let ImLogin { me, polling } = login;
        let client = channel.client.clone();
        let mut online = Self {
            ordinary: OrdinaryPoll::new(client.clone(), me.clone(), polling),
            sending: SendQueue::new(client, me.clone()),
            listener: None,
            farewells: JoinSet::new(),
            me,
            channel,
        };
        online.listen();
        online
    }

    pub(super) async fn run(mut self, commands: &mut mpsc::Receiver<ChannelCommand>) -> LoginEnd {
        loop {
            let done = tokio::select! {
                command = commands.recv() => match command {
                    None => return LoginEnd::Ended,
                    Some(ChannelCommand::Logout(done)) => {
                        self.log_out().await;
                        // Nobody waits for it any more.
                        let _ = done.send(());
                        return LoginEnd::LoggedOut;
                    }
                    Some(command) => {
                        self.obey(command);
                        Ok(())
                    }
                },
                polled = self.ordinary.next() => self.on_poll(polled).await,
                event = next_event(&mut self.listener) => self.on_group_event(event).await,
                () = self.sending.next() => {
                    self.channel.link.outbox.note(|snapshot| snapshot.channel.messages_sent += 1);
                    Ok(())
                }
                Some(_) = self.farewells.join_next() => Ok(()),
            };
            if let Err(error) = done {
                return LoginEnd::Failed(error);
            }
        }
    }

    fn obey(&mut self, command: ChannelCommand) {
        match command {
            ChannelCommand::Join(group) => {
                if self
                    .listener
                    .as_ref()
                    .is_some_and(|l| l.room_id != group.room_id)
                {
                    self.stop_listening();
                }
                self.channel.wanted = Some(group);
                self.listen();
            }
            ChannelCommand::Quit { room_id } => {
                self.channel.forget(&room_id);
                if self.listener.as_ref().is_some_and(|l| l.room_id == room_id) {
                    self.stop_listening();
                }
            }
            ChannelCommand::Send(message, reply) => self.send(message, reply),
            // Online already; a logout is dealt with before.
            ChannelCommand::Wake | ChannelCommand::Logout(_) => {}
        }
    }

    /// Joins the group that is wanted, even if we are in it: it may have been made anew.
    fn listen(&mut self) {
        self.listener = self.channel.wanted.as_ref().map(|group| {
            GroupListener::new(self.channel.client.clone(), self.me.clone(), &group.room_id)
        });
    }

    fn stop_listening(&mut self) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        self.channel.set_state(ChannelState::Online, None);
        let (client, me) = (self.channel.client.clone(), self.me.clone());
        self.farewells.spawn(async move {
            if let Err(error) = client.quit(&me, &listener.room_id).await {
                log::debug!(reason:% = error; "leaving the group was not confirmed");
            }
        });
    }

    fn send(&mut self, message: Outgoing, reply: Reply) {
        let group = self.channel.wanted.as_ref();
        let joined = self.listener.as_ref().is_some_and(GroupListener::is_joined);
        let refused = match (&message, group) {
            (Outgoing::C2c { .. }, _) => None,
            (_, None) => Some(ImError::NoRoom),
            (_, Some(_)) if !joined => {
                Some(ImError::Down(self.channel.link.outbox.channel_reason()))
            }
            _ if self.sending.queue.len() >= MAX_OUTGOING => Some(ImError::Busy),
            _ => None,
        };
        match refused {
            Some(error) => drop(reply.send(Err(error))),
            None => self
                .sending
                .queue
                .push_back((message, group.cloned(), reply)),
        }
    }

    async fn log_out(&mut self) {
        self.stop_listening();
        while self.farewells.join_next().await.is_some() {}
        let id = self.ordinary.cookie.long_polling_id.clone();
        if let Err(error) = self.channel.client.logout(&self.me, &id).await {
            log::debug!(reason:% = error; "logout of the message service was not confirmed");
        }
    }

    async fn on_poll(&mut self, polled: Result<Polled, ImError>) -> Result<(), ImError> {
        let polled = match polled {
            Ok(polled) => polled,
            Err(error) if trouble_of(&error) == Trouble::Replaced => return Err(error),
            Err(error) if self.ordinary.backoff.failures() > POLL_FAILURES => return Err(error),
            Err(error) => {
                log::debug!(reason:% = error; "the ordinary poll failed");
                return Ok(());
            }
        };
        if self.listener.is_none() {
            self.channel.backoff.reset();
        }
        for message in &polled.c2c {
            if self.is_new(&message.from, message.seq, message.random)
                && let Some(event) = event_of_c2c(message, &self.me.user_id)
            {
                self.channel.apply(Effect::Event(event)).await;
            }
        }
        self.on_messages(&polled.group).await;
        Ok(())
    }

    async fn on_group_event(&mut self, event: GroupEvent) -> Result<(), ImError> {
        match event {
            GroupEvent::Joined => {
                self.channel.set_state(ChannelState::Joined, None);
                self.channel.announce_group(Ok(())).await;
            }
            GroupEvent::Doubt => self.channel.set_doubtful(true),
            GroupEvent::Heard(messages) => {
                self.channel.backoff.reset();
                self.channel.set_state(ChannelState::Joined, None);
                self.channel.announce_group(Ok(())).await;
                self.on_messages(&messages).await;
            }
            GroupEvent::Lost { error, login_again } => {
                let reason = reason_of(&error, &self.me.user_id);
                log::warn!(reason:% = reason; "the room's group is lost; the member list is polled");
                self.channel.set_state(ChannelState::Online, Some(&reason));
                self.channel.announce_group(Err(&reason)).await;
                if login_again {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn on_messages(&mut self, messages: &[GroupMessage]) {
        let Some(group) = self.channel.wanted.clone() else {
            return;
        };
        for message in messages {
            let is_chat = matches!(message.content, Content::Chat(_));
            // A group's notices about itself do no harm twice, and its numbers begin anew with it.
            if (!is_chat || self.is_new(&message.from, message.seq, message.random))
                && let Some(effect) = effect_of(message, &group.room_id, &self.me.user_id)
            {
                self.channel.apply(effect).await;
            }
        }
    }

    fn is_new(&mut self, from: &str, seq: u64, random: u64) -> bool {
        self.channel.seen.is_new(from, seq, random)
    }
}

async fn next_event(listener: &mut Option<GroupListener>) -> GroupEvent {
    match listener {
        Some(listener) => listener.next().await,
        None => std::future::pending().await,
    }
}
