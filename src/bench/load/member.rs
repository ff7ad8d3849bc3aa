//! A simulated member: logs in and enters like a client, then beats for as long as it is let.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use super::line::Line;
use super::listener::Listener;
use super::tally::Tally;
use crate::protocol::answer::{self, Answer, Done, LoggedIn, LoginInfo, PushUrl};
use crate::protocol::request::{self, Request};
use crate::protocol::{RoomType, Verb};

/// Between two heartbeats of a member, as RTCRoom's clients beat.
pub(super) const BEAT: Duration = Duration::from_secs(7);
/// Longest delay added to each.
const JITTER: Duration = Duration::from_millis(500);
/// For an answer while thousands log in, and later.
pub(super) const ENTER_DEADLINE: Duration = Duration::from_secs(30);
const BEAT_DEADLINE: Duration = Duration::from_secs(10);

/// What all members share. There is at least one line.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) server: SocketAddr,
    pub(super) kind: RoomType,
    pub(super) members: usize,
    /// The first so many hold the ordinary poll beside that of their group.
    pub(super) ordinary: usize,
    /// Members beat at even distances from here on.
    pub(super) start: Instant,
    pub(super) tally: Tally,
    /// Connections for everything but polls; a member has the one of its number, and shares it
    /// when there are fewer.
    pub(super) lines: Vec<Mutex<Line>>,
    /// Connections to another server that is asked the same; none without one.
    pub(super) peer_lines: Vec<Mutex<Line>>,
}

/// Somebody in a room.
#[derive(Debug)]
pub(super) struct Member {
    crowd: Arc<Crowd>,
    number: usize,
    user_id: String,
    room_id: String,
    token: String,
}

impl Member {
    /// Logs in and enters the room, which the host makes; with its ear for the room's messages.
    ///
    /// # Errors
    /// What the server refuses.
    pub(super) async fn enter(
        crowd: Arc<Crowd>,
        number: usize,
        room_id: String,
        is_host: bool,
    ) -> Result<(Self, Listener)> {
        let user_id = format!("load-user-{number}");
        let target = format!("/weapp/utils/get_login_info?userID={user_id}");
        let info: LoginInfo = crowd.ask(number, &target, None).await?;
        let LoginInfo {
            sdk_app_id,
            account_type,
            user_sig,
            ..
        } = &info;
        let target = format!(
            "/weapp/{}/{}?sdkAppID={sdk_app_id}&accountType={account_type}&userID={user_id}&userSig={user_sig}",
            crowd.kind,
            Verb::Login
        );
        let LoggedIn { token, .. } = crowd.ask(number, &target, Some("{}".to_owned())).await?;
        let member = Self {
            crowd,
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
        let crowd = member.crowd.clone();
        let listener = Listener::join(crowd, number, &info, &member.room_id).await?;
        member.push().await?;
        Ok((member, listener))
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

    /// Beats every 7 s with jitter, at this member's place among all.
    pub(super) async fn beat(&self) {
        let crowd = &self.crowd;
        let beat = request::PusherHeartbeat {
            room_id: self.room_id.clone(),
            user_id: self.user_id.clone(),
        };
        let target = self.target(Verb::PusherHeartbeat);
        let mut due = first_beat(crowd.start, self.number, crowd.members, Instant::now());
        loop {
            let planned = due + JITTER.mul_f64(rand::random());
            sleep_until(planned).await;
            let body = json(&beat).unwrap_or_default();
            let ask = async |line: &Mutex<Line>| {
                let mut line = line.lock().await;
                let late = planned.elapsed();
                let reply = line.ask(&target, Some(body.clone()), BEAT_DEADLINE).await;
                let beaten = reply.and_then(|reply| {
                    answer::parse::<Done>(reply.status, &reply.body)?;
                    Ok(reply.took)
                });
                (beaten, late)
            };
            let (beaten, late) = ask(crowd.line(self.number)).await;
            crowd.tally.beaten(beaten, late);
            if let Some(line) = crowd.peer_line(self.number) {
                crowd.tally.peer_answered(ask(line).await.0);
            }
            due += BEAT;
        }
    }

    fn target(&self, verb: Verb) -> String {
        let Self { user_id, token, .. } = self;
        format!(
            "/weapp/{}/{verb}?userID={user_id}&token={token}",
            self.crowd.kind
        )
    }

    async fn call<R: Request, A: Answer>(&self, request: &R) -> Result<A> {
        let target = self.target(R::VERB);
        let asked = self.crowd.ask(self.number, &target, Some(json(request)?));
        asked
            .await
            .with_context(|| format!("user {}", self.user_id))
    }
}

impl Crowd {
    pub(super) fn line(&self, number: usize) -> &Mutex<Line> {
        &self.lines[number % self.lines.len()]
    }

    fn peer_line(&self, number: usize) -> Option<&Mutex<Line>> {
        let place = number.checked_rem(self.peer_lines.len())?;
        self.peer_lines.get(place)
    }

    async fn ask<A: Answer>(&self, number: usize, target: &str, body: Option<String>) -> Result<A> {
        let mut line = self.line(number).lock().await;
        let reply = line.ask(target, body, ENTER_DEADLINE).await?;
        self.tally.answered();
        let path = target.split('?').next().unwrap_or_default();
        answer::parse(reply.status, &reply.body).with_context(|| path.to_owned())
    }
}

pub(super) fn json(body: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string(body)?)
}

/// The first of a member's even beats after `now`.
fn first_beat(start: Instant, number: usize, members: usize, now: Instant) -> Instant {
    #[expect(clippy::cast_precision_loss, reason = "counts of members are small")]
    let place = BEAT.mul_f64(number as f64 / members as f64);
    let since = now.saturating_duration_since(start + place).as_nanos();
    let rounds = since.div_ceil(BEAT.as_nanos());
    start + place + BEAT * u32::try_from(rounds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_beat_at_even_distances() {
        let start = Instant::now();
        let first = |number, after| {
            let first = first_beat(start, number, 10, start + Duration::from_millis(after));
            (first - start).as_millis()
        };
        assert_eq!(first(0, 0), 0);
        assert_eq!(first(1, 0), 700);
        assert_eq!(first(1, 700), 700);
        assert_eq!(first(1, 701), 7700);
        assert_eq!(first(9, 20_400), 27_300);
    }
}
