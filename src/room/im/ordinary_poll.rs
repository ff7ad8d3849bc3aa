//! The ordinary long poll, which brings the messages to us alone.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::client::{ImClient, ImIdentity};
use super::retry;
use crate::process::backoff::Backoff;
use crate::protocol::webim::{
    C2cMessage, ERR_POLL_TIMEOUT, GroupMessage, LongPollCookie, LongPollingId, PollEvent,
    poll_events,
};
use crate::room::im_error::ImError;
use crate::room::in_flight::{InFlight, in_flight};

/// Maximum number of requests in a row for C2C messages that wait, against a service that never
/// comes to an end.
const MAX_FETCHES: usize = 10;
/// Longest hold of the ordinary poll, in seconds.
const MAX_POLL_SECONDS: u64 = 60;

/// The messages that an ordinary poll brought.
#[derive(Debug, Default)]
pub(super) struct Polled {
    pub(super) c2c: Vec<C2cMessage>,
    pub(super) group: Vec<GroupMessage>,
    notify_seq: u64,
}

/// The ordinary long poll.
pub(super) struct OrdinaryPoll {
    client: ImClient,
    me: Arc<ImIdentity>,
    /// Seconds for which the service is to hold; None without a polling id: no poll then.
    timeout: Option<u64>,
    pub(super) cookie: LongPollCookie,
    polling: InFlight<Result<Polled, ImError>>,
    next: Instant,
    pub(super) backoff: Backoff,
}

impl OrdinaryPoll {
    pub(super) fn new(client: ImClient, me: Arc<ImIdentity>, id: Option<LongPollingId>) -> Self {
        let hold = |seconds: u64| match seconds {
            0 => MAX_POLL_SECONDS,
            seconds => seconds.min(MAX_POLL_SECONDS),
        };
        Self {
            client,
            me,
            timeout: id.as_ref().map(|id| hold(id.timeout)),
            cookie: LongPollCookie {
                long_polling_id: id.map(|id| id.long_polling_id).unwrap_or_default(),
                ..LongPollCookie::default()
            },
            polling: None,
            next: Instant::now(),
            backoff: retry::backoff(),
        }
    }

    /// Waits for the next answer; may be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Polled, ImError> {
        let Some(timeout) = self.timeout else {
            return std::future::pending().await;
        };
        if self.polling.is_none() {
            sleep_until(self.next).await;
            let (client, me, cookie) = (self.client.clone(), self.me.clone(), self.cookie.clone());
            self.polling = Some(Box::pin(poll(client, me, timeout, cookie)));
        }
        let started = self.next;
        let result = in_flight(&mut self.polling).await;
        let now = Instant::now();
        self.next = now;
        match result {
            Ok(polled) => {
                self.backoff.reset();
                self.cookie.notify_seq = self.cookie.notify_seq.max(polled.notify_seq);
                for message in &polled.c2c {
                    self.cookie.notice_seq = self.cookie.notice_seq.max(message.notice_seq);
                }
                if polled.c2c.is_empty() && now - started < retry::MAXIMUM / 10 {
                    // A service that does not hold is not asked in a busy loop.
                    self.next = now + retry::MAXIMUM / 10;
                }
                Ok(polled)
            }
            Err(error) => {
                self.next = now + self.backoff.next_pause(rand::random());
                Err(error)
            }
        }
    }
}

async fn poll(
    client: ImClient,
    me: Arc<ImIdentity>,
    timeout: u64,
    cookie: LongPollCookie,
) -> Result<Polled, ImError> {
    let mut polled = Polled::default();
    let answer = match client.poll(&me, timeout, cookie).await {
        Err(error) if error.code() == Some(ERR_POLL_TIMEOUT) => return Ok(polled),
        other => other?,
    };
    let mut pending = false;
    for event in poll_events(&answer.event_array) {
        match event {
            PollEvent::C2cPending { notify_seq } => {
                pending = true;
                polled.notify_seq = notify_seq;
            }
            PollEvent::Group(messages) => polled.group.extend(messages),
            PollEvent::C2c(messages) => polled.c2c.extend(messages),
            PollEvent::Other(_) => {}
        }
    }
    if pending {
        fetch_pending(&client, &me, &mut polled.c2c).await?;
    }
    Ok(polled)
}

async fn fetch_pending(
    client: &ImClient,
    me: &ImIdentity,
    into: &mut Vec<C2cMessage>,
) -> Result<(), ImError> {
    let (mut cookie, mut flag) = (String::new(), 0);
    for _ in 0..MAX_FETCHES {
        let answer = client.pending(me, cookie, flag).await?;
        into.extend(answer.msg_list.iter().filter_map(C2cMessage::from_json));
        if answer.sync_flag != 1 {
            break;
        }
        (cookie, flag) = (answer.cookie, answer.sync_flag);
    }
    Ok(())
}
