//! A member's message channel: logs in, joins the group of the room, and holds both polls open
//! as a mini-program does, the group's and, as far as files go, the ordinary one.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::line::{Line, Reply};
use super::member::{Crowd, ENTER_DEADLINE, json};
use crate::protocol::answer::LoginInfo;
use crate::protocol::webim::{
    self, App, BigGroupPollRequest, BigGroupPolled, Caller, Empty, GroupRequest, ImCommand, JOINED,
    Joined, LoggedIn, LoginRequest, LongPollCookie, LongPollRequest, LongPolled, LongPollingId,
    RequestQuery,
};

/// Longest hold that is asked for, seconds: what the official client says.
const HOLD: u64 = 90;
/// For the answer to a poll, which the server holds for half a minute at most.
const POLL_DEADLINE: Duration = Duration::from_secs(60);
/// After a poll that failed.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Listener {
    crowd: Arc<Crowd>,
    app: App,
    me: LoggedIn,
    next: BigGroupPollRequest,
    ordinary: Option<LongPollRequest>,
    /// Where the polls go, the group's and the ordinary one; everything else goes by the line of
    /// the crowd.
    lines: [Line; 2],
}

/// What both polls of a member need.
struct Asker<'a> {
    crowd: &'a Crowd,
    app: &'a App,
    me: &'a LoggedIn,
}

impl Listener {
    /// Logs in to the message service and joins a room's group.
    ///
    /// # Errors
    /// What the service refuses.
    pub(super) async fn join(
        crowd: Arc<Crowd>,
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
        let target = target(ImCommand::Login, caller, &app);
        let me: LoggedIn = crowd.command(number, &target, json(&online)?).await?;
        let group = GroupRequest {
            group_id: room_id.to_owned(),
        };
        let caller = Caller::LoggedIn {
            tiny_id: &me.tiny_id,
            a2_key: &me.a2_key,
        };
        let target = self::target(ImCommand::ApplyJoinGroup, caller, &app);
        let joined: Joined = crowd.command(number, &target, json(&group)?).await?;
        let status = joined.joined_status;
        ensure!(status == JOINED, "group {room_id} answers {status}");
        let target = self::target(ImCommand::GetLongPollingId, caller, &app);
        let poll: LongPollingId = crowd.command(number, &target, json(&Empty {})?).await?;
        let ordinary = LongPollRequest {
            timeout: poll.timeout,
            cookie: LongPollCookie {
                long_polling_id: poll.long_polling_id,
                ..LongPollCookie::default()
            },
        };
        let ordinary = (number < crowd.ordinary).then_some(ordinary);
        Ok(Self {
            lines: [number, number].map(|number| Line::new(crowd.server, number)),
            ordinary,
            crowd,
            app,
            me,
            next: BigGroupPollRequest {
                start_seq: 0,
                hold_time: HOLD,
                key: joined.long_polling_key,
            },
        })
    }

    /// Polls for ever, each time at once after the answer.
    pub(super) async fn listen(self) {
        let Self {
            crowd,
            app,
            me,
            mut next,
            ordinary,
            lines: [mut group_line, mut line],
        } = self;
        let asker = Asker {
            crowd: &crowd,
            app: &app,
            me: &me,
        };
        let group = async {
            loop {
                let polled = asker
                    .ask(&mut group_line, ImCommand::BigGroupPoll, &next)
                    .await;
                let polled = polled.map(|polled: BigGroupPolled| {
                    (next.start_seq, next.key) = (polled.next_seq, polled.key);
                    polled.rsp_msg_list.len()
                });
                asker.count(polled).await;
            }
        };
        let ordinary = async {
            while let Some(ordinary) = &ordinary {
                let polled = asker.ask(&mut line, ImCommand::LongPolling, ordinary).await;
                let polled = polled.map(|polled: LongPolled| polled.event_array.len());
                asker.count(polled).await;
            }
        };
        tokio::join!(group, ordinary);
    }
}

impl Asker<'_> {
    async fn ask<B: Serialize, A: DeserializeOwned>(
        &self,
        line: &mut Line,
        command: ImCommand,
        body: &B,
    ) -> Result<A> {
        let caller = Caller::LoggedIn {
            tiny_id: &self.me.tiny_id,
            a2_key: &self.me.a2_key,
        };
        let target = target(command, caller, self.app);
        let reply = line.ask(&target, Some(json(body)?), POLL_DEADLINE).await?;
        read(&target, &reply)
    }

    /// Counts a poll that brought so many messages.
    async fn count(&self, messages: Result<usize>) {
        let failed = messages.is_err();
        self.crowd.tally.polled(messages);
        if failed {
            sleep(PAUSE).await;
        }
    }
}

impl Crowd {
    async fn command<A: DeserializeOwned>(
        &self,
        number: usize,
        target: &str,
        body: String,
    ) -> Result<A> {
        let mut line = self.line(number).lock().await;
        let reply = line.ask(target, Some(body), ENTER_DEADLINE).await?;
        self.tally.answered();
        read(target, &reply)
    }
}

fn read<A: DeserializeOwned>(target: &str, reply: &Reply) -> Result<A> {
    let path = target.split('?').next().unwrap_or_default();
    webim::parse(&reply.body).with_context(|| path.to_owned())
}

fn target(command: ImCommand, caller: Caller<'_>, app: &App) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    // Nobody reads the number of the request.
    let query = RequestQuery::compose(caller, app, now, 1);
    format!("/{}?{query}", command.path())
}
