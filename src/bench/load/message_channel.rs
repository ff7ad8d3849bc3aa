//! A member's message channel. It logs in, joins the group of the room, and holds both polls open
//! as a mini-program does: the group's and, as far as open files suffice, the ordinary one.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::connection::Connection;
use super::load_run::LoadRun;
use crate::protocol::answer::LoginInfo;
use crate::protocol::webim::{
    self, App, BigGroupPollRequest, BigGroupPolled, Caller, Command, Empty, GroupRequest, JOINED,
    Joined, LoggedIn, LoginRequest, LongPollCookie, LongPollRequest, LongPolled, LongPollingId,
    Query,
};

/// Longest hold that is asked for, seconds: that of the official client.
const HOLD: u64 = 90;
/// Longest time for the answer to a poll, which the server holds for half a minute at most.
const POLL_DEADLINE: Duration = Duration::from_secs(60);
/// Pause after a poll that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// The message channel of one member.
#[derive(Debug)]
pub(super) struct MessageChannel {
    poller: Poller,
    next: BigGroupPollRequest,
    ordinary: Option<LongPollRequest>,
    /// Connections of the polls, the group's and the ordinary one; everything else goes by those
    /// of the run.
    connections: [Connection; 2],
}

/// The needs of both polls.
#[derive(Debug)]
struct Poller {
    run: Arc<LoadRun>,
    app: App,
    me: LoggedIn,
}

impl MessageChannel {
    /// Logs in to the message service and joins a room's group.
    ///
    /// # Errors
    /// The service refuses it.
    pub(super) async fn join(
        run: Arc<LoadRun>,
        number: usize,
        info: &LoginInfo,
        room_id: &str,
    ) -> Result<Self> {
        let app = App {
            sdk_app_id: info.sdk_app_id,
            account_type: info.account_type.clone(),
        };
        let caller = Caller::LoggingIn {
            identifier: &info.user_id,
            user_sig: &info.user_sig,
        };
        let online = LoginRequest {
            state: "Online".to_owned(),
        };
        let login = target(Command::Login, caller, &app);
        let me = run.ask_messages(number, &login, &online).await?;
        let poller = Poller { run, app, me };
        let group = GroupRequest {
            group_id: room_id.to_owned(),
        };
        let (run, join) = (&poller.run, poller.target(Command::ApplyJoinGroup));
        let joined: Joined = run.ask_messages(number, &join, &group).await?;
        let status = joined.joined_status;
        ensure!(status == JOINED, "group {room_id} answers {status}");
        let polling = poller.target(Command::GetLongPollingId);
        let poll: LongPollingId = run.ask_messages(number, &polling, &Empty {}).await?;
        let ordinary = LongPollRequest {
            timeout: poll.timeout,
            cookie: LongPollCookie {
                long_polling_id: poll.long_polling_id,
                ..LongPollCookie::default()
            },
        };
        Ok(Self {
            connections: [number; 2].map(|number| Connection::new(run.server, number)),
            ordinary: (number < run.plan.ordinary_polls).then_some(ordinary),
            poller,
            next: BigGroupPollRequest {
                start_seq: 0,
                hold_time: HOLD,
                key: joined.long_polling_key,
            },
        })
    }

    /// Polls for ever, each time at once after the answer.
    pub(super) async fn poll(self) {
        let Self {
            poller,
            mut next,
            ordinary,
            connections: [mut group_connection, mut ordinary_connection],
        } = self;
        let group = async {
            loop {
                let polled = poller
                    .poll(&mut group_connection, Command::BigGroupPoll, &next)
                    .await;
                let polled = polled.map(|polled: BigGroupPolled| {
                    (next.start_seq, next.key) = (polled.next_seq, polled.key);
                    polled.rsp_msg_list.len()
                });
                poller.count(polled).await;
            }
        };
        let ordinary = async {
            while let Some(ordinary) = &ordinary {
                let polled = poller
                    .poll(&mut ordinary_connection, Command::LongPolling, ordinary)
                    .await;
                let polled = polled.map(|polled: LongPolled| polled.event_array.len());
                poller.count(polled).await;
            }
        };
        tokio::join!(group, ordinary);
    }
}

impl Poller {
    fn target(&self, command: Command) -> String {
        let caller = Caller::LoggedIn {
            tiny_id: &self.me.tiny_id,
            a2_key: &self.me.a2_key,
        };
        target(command, caller, &self.app)
    }

    async fn poll<B: Serialize, A: DeserializeOwned>(
        &self,
        connection: &mut Connection,
        command: Command,
        body: &B,
    ) -> Result<A> {
        let (target, body) = (self.target(command), serde_json::to_string(body)?);
        let reply = connection.ask(&target, Some(body), POLL_DEADLINE).await?;
        webim::parse(&reply.body).with_context(|| command.path())
    }

    /// Counts a poll that brought some messages, or failed.
    async fn count(&self, messages: Result<usize>) {
        let failed = messages.is_err();
        self.run.tally.poll_answered(messages);
        if failed {
            sleep(PAUSE).await;
        }
    }
}

fn target(command: Command, caller: Caller<'_>, app: &App) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    // Nobody reads the number of the request.
    let query = Query::compose(caller, app, now, 1);
    format!("/{}?{query}", command.path())
}
