//! One login to the message service: its two polls, and what is sent over it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::channel::{Channel, Group, LoggedOn, Order, Outgoing, RETRY_MAX, RETRY_MIN, Reply};
use super::client::{ImClient, ImIdentity};
use super::error::ImError;
use super::listener::{Listener, Step};
use super::receive::{Heard, hear, hear_c2c};
use super::trouble::{POLL_FAILURES, Trouble, trouble};
use crate::protocol::webim::{
    C2cMessage, ChatText, Content, CustomCommand, ERR_POLL_TIMEOUT, GroupMessage, LongPollCookie,
    LongPollingId, PollEvent, c2c_body, command_body, poll_events, text_body,
};
use crate::room::backoff::Backoff;
use crate::room::event::ChannelState;
use crate::room::membership::{Slot, in_flight};

/// Messages that wait to be sent.
const MAX_OUTGOING: usize = 16;
/// Requests for waiting C2C messages in a row, against a service that never comes to an end.
const MAX_FETCHES: usize = 10;
/// Longest hold of the ordinary poll, seconds.
const MAX_POLL_SECONDS: u64 = 60;

/// Why a login ended.
#[derive(Debug)]
pub(super) enum Loss {
    /// Nobody gives orders any more.
    Ended,
    LoggedOut,
    Failed(ImError),
}

pub(super) struct Online<'a> {
    channel: &'a mut Channel,
    me: Arc<ImIdentity>,
    ordinary: Ordinary,
    listener: Option<Listener>,
    sending: Sending,
    /// Groups being left.
    farewells: JoinSet<()>,
}

impl<'a> Online<'a> {
    pub(super) fn new(channel: &'a mut Channel, login: LoggedOn) -> Self {
        let LoggedOn { me, polling } = login;
        let client = channel.client.clone();
        let mut online = Self {
            ordinary: Ordinary::new(client.clone(), me.clone(), polling),
            sending: Sending::new(client, me.clone()),
            listener: None,
            farewells: JoinSet::new(),
            me,
            channel,
        };
        online.listen();
        online
    }

    pub(super) async fn run(mut self, orders: &mut mpsc::Receiver<Order>) -> Loss {
        loop {
            let done = tokio::select! {
                order = orders.recv() => match order {
                    None => return Loss::Ended,
                    Some(Order::Logout(done)) => {
                        self.log_out().await;
                        // Nobody waits for it any more.
                        let _ = done.send(());
                        return Loss::LoggedOut;
                    }
                    Some(order) => {
                        self.obey(order);
                        Ok(())
                    }
                },
                polled = self.ordinary.next() => self.on_poll(polled).await,
                step = next_step(&mut self.listener) => self.on_step(step).await,
                () = self.sending.next() => {
                    self.channel.link.outbox.note(|snapshot| snapshot.channel.messages_sent += 1);
                    Ok(())
                }
                Some(_) = self.farewells.join_next() => Ok(()),
            };
            if let Err(error) = done {
                return Loss::Failed(error);
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Join(group) => {
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
            Order::Quit { room_id } => {
                self.channel.forget(&room_id);
                if self.listener.as_ref().is_some_and(|l| l.room_id == room_id) {
                    self.stop_listening();
                }
            }
            Order::Send(message, reply) => self.send(message, reply),
            // Online already; a logout is dealt with before.
            Order::Wake | Order::Logout(_) => {}
        }
    }

    /// Joins the group that is wanted, also when it is joined: it may have been made anew.
    fn listen(&mut self) {
        self.listener = self.channel.wanted.as_ref().map(|group| {
            Listener::new(self.channel.client.clone(), self.me.clone(), &group.room_id)
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
        let joined = self.listener.as_ref().is_some_and(Listener::is_joined);
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
            Err(error) if trouble(&error) == Trouble::Replaced => return Err(error),
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
                && let Some(event) = hear_c2c(message, &self.me.user_id)
            {
                self.channel.heard(Heard::Event(event)).await;
            }
        }
        self.on_messages(&polled.group).await;
        Ok(())
    }

    async fn on_step(&mut self, step: Step) -> Result<(), ImError> {
        match step {
            Step::Joined => {
                self.channel.set_state(ChannelState::Joined, None);
                self.channel.tell_up(Ok(())).await;
            }
            Step::Doubt => self.channel.doubt(true),
            Step::Heard(messages) => {
                self.channel.backoff.reset();
                self.channel.set_state(ChannelState::Joined, None);
                self.channel.tell_up(Ok(())).await;
                self.on_messages(&messages).await;
            }
            Step::Lost { error, login_again } => {
                let reason = error.to_string();
                log::warn!(reason:% = reason; "the room's group is lost; the member list is polled");
                self.channel.set_state(ChannelState::Online, Some(&reason));
                self.channel.tell_up(Err(&reason)).await;
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
            // What a group says of itself is harmless twice, and its numbers begin anew with it.
            if (!is_chat || self.is_new(&message.from, message.seq, message.random))
                && let Some(heard) = hear(message, &group.room_id, &self.me.user_id)
            {
                self.channel.heard(heard).await;
            }
        }
    }

    fn is_new(&mut self, from: &str, seq: u64, random: u64) -> bool {
        self.channel.seen.is_new(from, seq, random)
    }
}

async fn next_step(listener: &mut Option<Listener>) -> Step {
    match listener {
        Some(listener) => listener.next().await,
        None => std::future::pending().await,
    }
}

/// What an ordinary poll brought.
#[derive(Debug, Default)]
struct Polled {
    c2c: Vec<C2cMessage>,
    group: Vec<GroupMessage>,
    notify_seq: u64,
}

/// The ordinary long poll, which brings what is for us alone.
struct Ordinary {
    client: ImClient,
    me: Arc<ImIdentity>,
    /// Without a polling id there is no poll.
    timeout: Option<u64>,
    cookie: LongPollCookie,
    polling: Slot<Result<Polled, ImError>>,
    next: Instant,
    backoff: Backoff,
}

impl Ordinary {
    fn new(client: ImClient, me: Arc<ImIdentity>, id: Option<LongPollingId>) -> Self {
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
            backoff: Backoff::new(RETRY_MIN, RETRY_MAX),
        }
    }

    /// The next answer; may be dropped and called again.
    async fn next(&mut self) -> Result<Polled, ImError> {
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
                if polled.c2c.is_empty() && now - started < RETRY_MAX / 10 {
                    // A service that does not hold is not asked in a busy loop.
                    self.next = now + RETRY_MAX / 10;
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

/// Sends one message after the other, so that they arrive in order.
struct Sending {
    client: ImClient,
    me: Arc<ImIdentity>,
    queue: VecDeque<(Outgoing, Option<Group>, Reply)>,
    slot: Slot<Result<(), ImError>>,
    reply: Option<Reply>,
}

impl Sending {
    fn new(client: ImClient, me: Arc<ImIdentity>) -> Self {
        Self {
            client,
            me,
            queue: VecDeque::new(),
            slot: None,
            reply: None,
        }
    }

    /// Until the next message is sent; may be dropped and called again.
    async fn next(&mut self) {
        loop {
            if self.slot.is_none() {
                let Some((message, group, reply)) = self.queue.pop_front() else {
                    return std::future::pending().await;
                };
                self.reply = Some(reply);
                let (client, me) = (self.client.clone(), self.me.clone());
                self.slot = Some(Box::pin(send(client, me, message, group)));
            }
            let result = in_flight(&mut self.slot).await;
            let sent = result.is_ok();
            if let Err(error) = &result {
                log::warn!(reason:% = error; "a message was not sent");
            }
            if let Some(reply) = self.reply.take() {
                // Fails when nobody waits for it any more.
                let _ = reply.send(result);
            }
            if sent {
                return;
            }
        }
    }
}

async fn send(
    client: ImClient,
    me: Arc<ImIdentity>,
    message: Outgoing,
    group: Option<Group>,
) -> Result<(), ImError> {
    let Group {
        room_id,
        nick,
        avatar,
    } = group.unwrap_or_else(|| Group {
        room_id: String::new(),
        nick: me.user_id.clone(),
        avatar: String::new(),
    });
    let command = |cmd, msg, user_name, user_avatar| CustomCommand {
        cmd,
        msg,
        user_name,
        user_avatar,
    };
    match message {
        Outgoing::Text { text } => {
            let body = text_body(&ChatText { nick, avatar, text })?;
            client.send_group(&me, &room_id, body).await
        }
        Outgoing::Custom { cmd, msg } => {
            let body = command_body(&command(cmd, msg, nick, avatar))?;
            client.send_group(&me, &room_id, body).await
        }
        Outgoing::C2c { to, cmd, msg } => {
            let body = c2c_body(&command(cmd, msg, nick, avatar))?;
            client.send_c2c(&me, &to, body).await
        }
    }
}
