//! Our place in a room's group: joins it, and polls it again and again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::client::{ImClient, ImIdentity};
use super::poll_hold::PollHold;
use super::retry;
use super::trouble::{Trouble, group_is_lost, trouble_of};
use crate::process::backoff::Backoff;
use crate::protocol::webim::{
    BigGroupPollRequest, BigGroupPolled, ERR_POLL_TIMEOUT, GroupMessage, messages,
};
use crate::room::im_error::ImError;
use crate::room::in_flight::{InFlight, in_flight};

/// Longest pause between two tries to join a group that does not exist.
const NO_GROUP_RETRY: Duration = Duration::from_secs(30);

/// An event in our place in the group.
#[derive(Debug)]
pub(super) enum GroupEvent {
    Joined,
    /// The poll is late: the service may be hanging.
    Doubt,
    /// A poll was answered, perhaps with nothing.
    Heard(Vec<GroupMessage>),
    /// The group is lost; it will be joined again, at once or after a new login.
    Lost {
        error: ImError,
        login_again: bool,
    },
}

/// The state of the group's poll from answer to answer.
struct Poll {
    key: String,
    next_seq: u64,
    hold: PollHold,
    started: Instant,
    next: Instant,
    doubted: bool,
    failures: u32,
    slot: InFlight<Result<BigGroupPolled, ImError>>,
}

pub(super) struct GroupListener {
    pub(super) room_id: String,
    client: ImClient,
    me: Arc<ImIdentity>,
    joining: InFlight<Result<String, ImError>>,
    next_join: Instant,
    poll: Option<Poll>,
    /// Whether the group was lost before: then only an answered poll proves that it is back.
    suspect: bool,
    backoff: Backoff,
    no_group: Backoff,
}

impl GroupListener {
    pub(super) fn new(client: ImClient, me: Arc<ImIdentity>, room_id: &str) -> Self {
        Self {
            room_id: room_id.to_owned(),
            client,
            me,
            joining: None,
            next_join: Instant::now(),
            poll: None,
            suspect: false,
            backoff: retry::backoff(),
            no_group: retry::slow_backoff(NO_GROUP_RETRY),
        }
    }

    /// Whether messages can be sent.
    pub(super) fn is_joined(&self) -> bool {
        self.poll.is_some()
    }

    /// Waits for the next event; may be dropped and called again.
    pub(super) async fn next(&mut self) -> GroupEvent {
        loop {
            let event = match &mut self.poll {
                None => self.join().await,
                Some(_) => self.listen().await,
            };
            if let Some(event) = event {
                return event;
            }
        }
    }

    async fn join(&mut self) -> Option<GroupEvent> {
        if self.joining.is_none() {
            sleep_until(self.next_join).await;
            let (client, me, group) = (self.client.clone(), self.me.clone(), self.room_id.clone());
            self.joining = Some(Box::pin(async move { client.join(&me, &group).await }));
        }
        match in_flight(&mut self.joining).await {
            Ok(key) => {
                let now = Instant::now();
                self.poll = Some(Poll {
                    key,
                    next_seq: 0,
                    hold: PollHold::default(),
                    started: now,
                    next: now,
                    doubted: false,
                    failures: 0,
                    slot: None,
                });
                (!self.suspect).then_some(GroupEvent::Joined)
            }
            Err(error) => {
                self.suspect = true;
                let no_group = trouble_of(&error) == Trouble::NoGroup;
                let backoff = if no_group {
                    &mut self.no_group
                } else {
                    &mut self.backoff
                };
                self.next_join = Instant::now() + backoff.next_pause(rand::random());
                let login_again = !no_group;
                Some(GroupEvent::Lost { error, login_again })
            }
        }
    }

    async fn listen(&mut self) -> Option<GroupEvent> {
        let poll = self.poll.as_mut()?;
        if poll.slot.is_none() {
            sleep_until(poll.next).await;
            poll.started = Instant::now();
            let request = BigGroupPollRequest {
                start_seq: poll.next_seq,
                hold_time: poll.hold.asked().as_secs(),
                key: poll.key.clone(),
            };
            let (client, me, deadline) =
                (self.client.clone(), self.me.clone(), poll.hold.deadline());
            poll.slot = Some(Box::pin(async move {
                client.listen(&me, request, deadline).await
            }));
        }
        let doubt_at = poll.started + poll.hold.doubt_after();
        tokio::select! {
            result = in_flight(&mut poll.slot) => self.on_answer(result),
            () = sleep_until(doubt_at), if !poll.doubted => {
                poll.doubted = true;
                Some(GroupEvent::Doubt)
            }
        }
    }

    fn on_answer(&mut self, result: Result<BigGroupPolled, ImError>) -> Option<GroupEvent> {
        let poll = self.poll.as_mut()?;
        let now = Instant::now();
        let took = now - poll.started;
        let heard = match result {
            Ok(answer) => {
                let empty = answer.rsp_msg_list.is_empty();
                poll.hold.answered(took, answer.hold_time, empty);
                let idle = empty || answer.next_seq == poll.next_seq;
                poll.next = now + PollHold::pause_after(took, idle);
                poll.next_seq = answer.next_seq;
                // Without a key the old one must do.
                if !answer.key.is_empty() {
                    poll.key = answer.key;
                }
                messages(&answer.rsp_msg_list)
            }
            Err(error) if error.code() == Some(ERR_POLL_TIMEOUT) => {
                poll.hold.answered(took, 0, true);
                poll.next = now + PollHold::pause_after(took, true);
                vec![]
            }
            Err(error) => return self.on_failure(error),
        };
        poll.doubted = false;
        poll.failures = 0;
        self.suspect = false;
        self.backoff.reset();
        self.no_group.reset();
        Some(GroupEvent::Heard(heard))
    }

    fn on_failure(&mut self, error: ImError) -> Option<GroupEvent> {
        let poll = self.poll.as_mut()?;
        poll.failures += 1;
        let pause = self.backoff.next_pause(rand::random());
        if trouble_of(&error) != Trouble::Replaced && !group_is_lost(&error, poll.failures) {
            log::debug!(reason:% = error, pause:? = pause; "the group's poll failed");
            poll.next = Instant::now() + pause;
            return None;
        }
        self.poll = None;
        self.suspect = true;
        self.next_join = Instant::now() + pause;
        let login_again = trouble_of(&error) == Trouble::Replaced;
        Some(GroupEvent::Lost { error, login_again })
    }
}
