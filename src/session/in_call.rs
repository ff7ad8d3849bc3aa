//! In a room. A lost uplink or downlink is part of this state, with a window to come back in.

use std::collections::BTreeMap;
use std::time::Instant;

use super::ending::Ending;
use super::state::{EndReason, Fault, FaultCode, Link, Next, Remote, Transition};
use super::{Action, Command, Event, Facts, Peer, RoomFailure};
use crate::config::kiosk::Role;

#[derive(Debug, Clone, PartialEq)]
pub struct InCall {
    room_id: String,
    members: BTreeMap<String, Member>,
    uplink: Uplink,
    server_reachable: bool,
    muted: bool,
    /// The last text, with its sender's name.
    said: Option<Said>,
    /// Since when nobody else is here.
    alone_since: Option<Instant>,
    /// What the uplink was lost to the last time.
    last_loss: Option<Fault>,
}

#[derive(Debug, Clone, PartialEq)]
struct Said {
    line: String,
    until: Instant,
}

#[derive(Debug, Clone, PartialEq)]
struct Member {
    peer: Peer,
    downlink: Link,
    /// Whether he is to be played.
    wanted: bool,
    /// Play again then; set when the player gave up.
    retry_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Uplink {
    Up,
    /// The media layer reconnects with the same URL.
    Reconnecting,
    /// The media layer gave up: a new URL is on its way, or is being tried.
    Renewing {
        since: Instant,
    },
    /// The last try failed; the next one is due then.
    Waiting {
        since: Instant,
        retry_at: Instant,
    },
}

impl InCall {
    pub(super) fn enter(room_id: String, muted: bool, facts: &Facts) -> Next {
        let state = Self {
            room_id,
            members: BTreeMap::new(),
            uplink: Uplink::Up,
            server_reachable: facts.server.is_ok(),
            muted,
            said: None,
            alone_since: Some(facts.now),
            last_loss: None,
        };
        state.stay(vec![], facts)
    }

    pub(super) fn transition(&self) -> Transition {
        Transition::InCall {
            room_id: self.room_id.clone(),
            uplink: match self.uplink {
                Uplink::Up => Link::Up,
                Uplink::Reconnecting | Uplink::Renewing { .. } => Link::Connecting,
                Uplink::Waiting { .. } => Link::Lost,
            },
            members: self
                .members
                .iter()
                .map(|(id, member)| {
                    let name = member.peer.name.clone();
                    (
                        id.clone(),
                        Remote {
                            name,
                            downlink: member.downlink,
                        },
                    )
                })
                .collect(),
            room_server_reachable: self.server_reachable,
            muted: self.muted,
            said: self.said.as_ref().map(|said| said.line.clone()),
        }
    }

    pub(super) fn handle(mut self, event: Event, facts: &Facts) -> Next {
        match event {
            Event::Command(Command::HangUp) => Ending::enter(EndReason::HungUp, facts),
            Event::Command(Command::Mute(muted)) => {
                self.muted = muted;
                self.stay(vec![Action::SetMuted(muted)], facts)
            }
            Event::Command(Command::Preview(on)) => self.stay(vec![Action::SetPreview(on)], facts),
            Event::Command(Command::View { user_id, on }) => self.view(&user_id, on, facts),
            Event::Said { name, text } => {
                self.said = Some(Said {
                    line: format!("{name}: {text}"),
                    until: facts.now + facts.patience.text,
                });
                self.stay(vec![], facts)
            }
            Event::RoomClosed { reason } => Ending::enter(EndReason::RoomClosed { reason }, facts),
            Event::Kicked { reason } => Ending::enter(EndReason::Kicked { reason }, facts),
            Event::MemberJoined(peer) | Event::MemberChanged(peer) => self.play(peer, facts),
            Event::MemberLeft { user_id } => self.drop_member(user_id, facts),
            Event::Playing { user_id } => self.set_downlink(&user_id, Link::Up, facts),
            Event::PlayDisturbed { user_id } => {
                self.set_downlink(&user_id, Link::Connecting, facts)
            }
            Event::PlayLost { user_id, .. } => self.play_lost(&user_id, facts),
            Event::Wake => self.wake(facts),
            Event::ServerUnreachable { .. } => {
                self.server_reachable = false;
                self.stay(vec![], facts)
            }
            Event::ServerReachable | Event::LoggedIn => {
                self.server_reachable = true;
                self.stay(vec![], facts)
            }
            event => self.handle_uplink(event, facts),
        }
    }

    /// Whether there is such a member to be played; if not, the words for whoever asks.
    pub(super) fn accepts_view(&self, user_id: &str) -> Result<(), String> {
        if self.members.contains_key(user_id) {
            return Ok(());
        }
        let members: Vec<_> = self.members.keys().map(String::as_str).collect();
        Err(match members.as_slice() {
            [] => "nobody else is in the room".to_owned(),
            members => format!("nobody of that id is in the room: {}", members.join(", ")),
        })
    }

    fn view(mut self, user_id: &str, on: bool, facts: &Facts) -> Next {
        let Some(member) = self.members.get_mut(user_id) else {
            return self.stay(vec![], facts);
        };
        if member.wanted == on {
            return self.stay(vec![], facts);
        }
        member.wanted = on;
        member.retry_at = None;
        let action = if on {
            member.downlink = Link::Connecting;
            Action::Play(member.peer.clone())
        } else {
            member.downlink = Link::Off;
            Action::StopPlay {
                user_id: user_id.to_owned(),
            }
        };
        self.stay(vec![action], facts)
    }

    fn play(mut self, peer: Peer, facts: &Facts) -> Next {
        let id = peer.user_id.clone();
        let old = self.members.get_mut(&id);
        if let Some(member) =
            old.filter(|member| !member.wanted || same_stream(&member.peer, &peer))
        {
            // The next player takes the fresh signature; the one that plays needs none.
            member.peer = peer;
            return self.stay(vec![], facts);
        }
        let known = self.members.contains_key(&id);
        let mut actions = vec![];
        if known {
            actions.push(Action::StopPlay {
                user_id: id.clone(),
            });
        }
        actions.push(Action::Play(peer.clone()));
        self.members.insert(
            id,
            Member {
                peer,
                downlink: Link::Connecting,
                wanted: true,
                retry_at: None,
            },
        );
        self.alone_since = None;
        self.stay(actions, facts)
    }

    fn drop_member(mut self, user_id: String, facts: &Facts) -> Next {
        if self.members.remove(&user_id).is_none() {
            return self.stay(vec![], facts);
        }
        if self.members.is_empty() {
            if facts.role == Role::Guest {
                return Ending::enter(EndReason::PeerLeft, facts);
            }
            self.alone_since = Some(facts.now);
        }
        self.stay(vec![Action::StopPlay { user_id }], facts)
    }

    fn set_downlink(mut self, user_id: &str, link: Link, facts: &Facts) -> Next {
        let member = self.members.get_mut(user_id);
        if let Some(member) = member.filter(|member| member.wanted) {
            member.downlink = link;
        }
        self.stay(vec![], facts)
    }

    fn play_lost(mut self, user_id: &str, facts: &Facts) -> Next {
        let member = self.members.get_mut(user_id);
        let Some(member) = member.filter(|member| member.wanted) else {
            return self.stay(vec![], facts);
        };
        member.downlink = Link::Lost;
        member.retry_at = Some(facts.now + facts.spread(facts.patience.retry));
        self.stay(
            vec![Action::StopPlay {
                user_id: user_id.to_owned(),
            }],
            facts,
        )
    }

    fn handle_uplink(mut self, event: Event, facts: &Facts) -> Next {
        let now = facts.now;
        let mut actions = vec![];
        if let Event::PushLost(fault) = &event {
            self.last_loss = Some(fault.clone());
        }
        match (event, self.uplink) {
            (Event::PushReconnecting, Uplink::Up) => self.uplink = Uplink::Reconnecting,
            (Event::Pushing, Uplink::Reconnecting) => self.uplink = Uplink::Up,
            (Event::PushLost(_), Uplink::Up | Uplink::Reconnecting) => {
                self.uplink = Uplink::Renewing { since: now };
                actions = vec![Action::StopPush, self.get_push_url()];
            }
            (Event::PushLost(_), Uplink::Renewing { since }) => {
                self.uplink = Uplink::Waiting {
                    since,
                    retry_at: now + facts.spread(facts.patience.retry),
                };
                actions = vec![Action::StopPush];
            }
            (Event::PushUrl(Ok(())), Uplink::Renewing { .. }) => actions = vec![Action::StartPush],
            (Event::PushUrl(Err(_)), Uplink::Renewing { since }) => {
                self.uplink = Uplink::Waiting {
                    since,
                    retry_at: now + facts.spread(facts.patience.retry),
                };
            }
            (Event::Pushing, Uplink::Renewing { .. }) => {
                actions = vec![Action::Enter {
                    room_id: self.room_id.clone(),
                }];
            }
            (Event::Entered(Ok(())), Uplink::Renewing { .. }) => self.uplink = Uplink::Up,
            (Event::Entered(Err(failure)), Uplink::Renewing { since }) => match failure {
                RoomFailure::Taken(reason) => {
                    return Ending::enter(EndReason::RoomClosed { reason }, facts);
                }
                RoomFailure::Unreachable(_) | RoomFailure::Refused(_) => {
                    self.uplink = Uplink::Waiting {
                        since,
                        retry_at: now + facts.spread(facts.patience.retry),
                    };
                    actions = vec![Action::StopPush];
                }
            },
            _ => {}
        }
        self.stay(actions, facts)
    }

    fn wake(mut self, facts: &Facts) -> Next {
        let now = facts.now;
        self.said = self.said.filter(|said| now < said.until);
        if facts.role == Role::Guest
            && self
                .alone_since
                .is_some_and(|since| now >= since + facts.patience.alone)
        {
            return Ending::enter(EndReason::PeerLeft, facts);
        }
        let mut actions = vec![];
        if let Uplink::Renewing { since } | Uplink::Waiting { since, .. } = self.uplink
            && now >= since + facts.patience.uplink
        {
            let lost = self
                .last_loss
                .take()
                .unwrap_or_else(|| Fault::new(FaultCode::NoRelay, "no word from the relay"));
            let reason = format!("the uplink did not come back: {}", lost.reason);
            return Ending::enter(EndReason::Failed(Fault::new(lost.code, reason)), facts);
        }
        if let Uplink::Waiting { since, retry_at } = self.uplink
            && now >= retry_at
        {
            self.uplink = Uplink::Renewing { since };
            actions.push(self.get_push_url());
        }
        for member in self.members.values_mut() {
            if member.retry_at.is_some_and(|at| now >= at) {
                member.retry_at = None;
                member.downlink = Link::Connecting;
                actions.push(Action::Play(member.peer.clone()));
            }
        }
        self.stay(actions, facts)
    }

    fn get_push_url(&self) -> Action {
        Action::GetPushUrl {
            room_id: self.room_id.clone(),
        }
    }

    /// Stays, and asks to be woken for whatever is due next.
    fn stay(self, mut actions: Vec<Action>, facts: &Facts) -> Next {
        let alone = self
            .alone_since
            .filter(|_| facts.role == Role::Guest)
            .map(|since| since + facts.patience.alone);
        let uplink = match self.uplink {
            Uplink::Up | Uplink::Reconnecting => None,
            Uplink::Renewing { since } => Some(since + facts.patience.uplink),
            Uplink::Waiting { since, retry_at } => {
                Some(retry_at.min(since + facts.patience.uplink))
            }
        };
        let retries = self.members.values().filter_map(|member| member.retry_at);
        let said = self.said.as_ref().map(|said| said.until);
        let due = retries.chain(alone).chain(uplink).chain(said);
        if let Some(due) = due.min() {
            actions.push(Action::WakeIn(due.saturating_duration_since(facts.now)));
        }
        Next::new(self, actions)
    }
}

/// Whether both URLs lead to one stream: they may differ in their signature.
fn same_stream(old: &Peer, new: &Peer) -> bool {
    let stream = |peer: &Peer| peer.play_url.split('?').next().map(str::to_owned);
    stream(old) == stream(new)
}
