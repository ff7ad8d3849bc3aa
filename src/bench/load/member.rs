//! A simulated member: it logs in and enters like a client, then sends heartbeats until the end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::connection::Connection;
use super::load_run::LoadRun;
use super::message_channel::MessageChannel;
use crate::protocol::Verb;
use crate::protocol::answer::{self, Answer, Done, LoggedIn, LoginInfo, PushUrl};
use crate::protocol::request::{self, Request};

/// Time between two heartbeats of a member: that of RTCRoom's clients.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(7);
/// Longest delay added to each.
const JITTER: Duration = Duration::from_millis(500);
/// Longest time for the answer to a heartbeat.
const HEARTBEAT_DEADLINE: Duration = Duration::from_secs(10);
/// Most rooms that are entered at the same time: members come one after the other, but quickly.
const ENTERING: usize = 16;

/// Lets all members enter, a few rooms at a time; each sends heartbeats from then on, for as long
/// as the runtime lives.
///
/// # Errors
/// The server refuses a member.
pub(super) async fn enter_all(run: &Arc<LoadRun>) -> Result<()> {
    let size = run.room_type.default_capacity();
    let slots = Arc::new(Semaphore::new(ENTERING));
    let mut entering = JoinSet::new();
    for first in (0..run.members).step_by(size) {
        let slot = slots.clone().acquire_owned().await?;
        while let Some(entered) = entering.try_join_next() {
            entered??;
        }
        let run = run.clone();
        entering.spawn(async move {
            let _slot = slot;
            for number in first..run.members.min(first + size) {
                let room = format!("load-room-{}", first / size);
                let is_host = number == first;
                let entered = Member::enter(run.clone(), number, room, is_host);
                let (member, channel) = entered.await?;
                tokio::spawn(async move { member.send_heartbeats().await });
                tokio::spawn(channel.poll());
            }
            anyhow::Ok(())
        });
    }
    while let Some(entered) = entering.join_next().await {
        entered??;
    }
    Ok(())
}

/// A member of a room.
#[derive(Debug)]
struct Member {
    run: Arc<LoadRun>,
    number: usize,
    user_id: String,
    room_id: String,
    token: String,
}

impl Member {
    /// Logs in and enters the room, which the host makes, with a channel for its messages.
    async fn enter(
        run: Arc<LoadRun>,
        number: usize,
        room_id: String,
        is_host: bool,
    ) -> Result<(Self, MessageChannel)> {
        let user_id = format!("load-user-{number}");
        let target = format!("/weapp/utils/get_login_info?userID={user_id}");
        let info: LoginInfo = run.ask(number, &target, None).await?;
        let LoginInfo {
            sdk_app_id,
            account_type,
            user_sig,
            ..
        } = &info;
        let target = format!(
            "/weapp/{}/{}?sdkAppID={sdk_app_id}&accountType={account_type}&userID={user_id}&userSig={user_sig}",
            run.room_type,
            Verb::Login
        );
        let LoggedIn { token, .. } = run.ask(number, &target, Some("{}".to_owned())).await?;
        let member = Self {
            run,
            number,
            user_id,
            room_id,
            token,
        };
        if is_host {
            let room = request::CreateRoom {
                user_id: member.user_id.clone(),
                room_info: "load".to_owned(),
                room_id: member.room_id.clone(),
            };
            member.call::<_, answer::CreatedRoom>(&room).await?;
        }
        let run = member.run.clone();
        let channel = MessageChannel::join(run, number, &info, &member.room_id).await?;
        member.push().await?;
        Ok((member, channel))
    }

    async fn push(&self) -> Result<()> {
        let (user_id, room_id) = (self.user_id.clone(), self.room_id.clone());
        let wanted = request::GetPushUrl {
            room_id: Some(room_id.clone()),
            user_id: user_id.clone(),
        };
        let PushUrl { push_url } = self.call(&wanted).await?;
        let joining = request::AddPusher {
            room_id,
            room_info: String::new(),
            user_name: user_id.clone(),
            user_id,
            user_avatar: String::new(),
            push_url,
        };
        self.call::<_, Done>(&joining).await?;
        Ok(())
    }

    /// Sends a heartbeat every 7 s with jitter, at this member's place among all, and asks the
    /// baseline the same.
    async fn send_heartbeats(&self) {
        let run = &self.run;
        let heartbeat = request::PusherHeartbeat {
            room_id: self.room_id.clone(),
            user_id: self.user_id.clone(),
        };
        let body = serde_json::to_string(&heartbeat).unwrap_or_default();
        let target = self.target(Verb::PusherHeartbeat);
        let mut due = first_heartbeat(run.start, self.number, run.members, Instant::now());
        loop {
            let planned = due + JITTER.mul_f64(rand::random());
            sleep_until(planned).await;
            let ask = async |connection: &Mutex<Connection>| {
                let mut connection = connection.lock().await;
                let late = planned.elapsed();
                let body = Some(body.clone());
                let reply = connection.ask(&target, body, HEARTBEAT_DEADLINE).await;
                let answered = reply.and_then(|reply| {
                    answer::parse::<Done>(reply.status, &reply.body)?;
                    Ok(reply.took)
                });
                (answered, late)
            };
            let (answered, late) = ask(run.connection(self.number)).await;
            run.tally.heartbeat_answered(answered, late);
            if let Some(connection) = run.baseline_connection(self.number) {
                run.tally.baseline_answered(ask(connection).await.0);
            }
            due += HEARTBEAT;
        }
    }

    fn target(&self, verb: Verb) -> String {
        let Self { user_id, token, .. } = self;
        format!(
            "/weapp/{}/{verb}?userID={user_id}&token={token}",
            self.run.room_type
        )
    }

    async fn call<R: Request, A: Answer>(&self, request: &R) -> Result<A> {
        let target = self.target(R::VERB);
        let body = Some(serde_json::to_string(request)?);
        let asked = self.run.ask(self.number, &target, body);
        asked
            .await
            .with_context(|| format!("user {}", self.user_id))
    }
}

/// The first of a member's even heartbeats after `now`.
fn first_heartbeat(start: Instant, number: usize, members: usize, now: Instant) -> Instant {
    let place = HEARTBEAT.mul_f64(number as f64 / members as f64);
    let since = now.saturating_duration_since(start + place).as_nanos();
    let rounds = since.div_ceil(HEARTBEAT.as_nanos());
    start + place + HEARTBEAT * u32::try_from(rounds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_send_heartbeats_at_even_distances() {
        let start = Instant::now();
        let first = |number, after| {
            let first = first_heartbeat(start, number, 10, start + Duration::from_millis(after));
            (first - start).as_millis()
        };
        assert_eq!(first(0, 0), 0);
        assert_eq!(first(1, 0), 700);
        assert_eq!(first(1, 700), 700);
        assert_eq!(first(1, 701), 7700);
        assert_eq!(first(9, 20_400), 27_300);
    }
}
