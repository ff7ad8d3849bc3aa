//! In a room. A lost uplink or downlink is part of this state, with a window to come back in.

use std::time::Instant;

use super::decision::{Decision, Entry, FirstLook};
use super::members::Members;
use super::uplink::Uplink;
use crate::config::kiosk::Role;
use crate::display::EndReason;
use crate::display::ShownMessage;
use crate::session::action::Action;
use crate::session::event::{Event, Peer, SoundDevices};
use crate::session::facts::Facts;
use crate::session::request::Request;
use crate::session::transition::{Link, Transition};

#[derive(Debug, Clone, PartialEq)]
pub(in crate::session) struct InCall {
    room_id: String,
    members: Members,
    uplink: Uplink,
    server_reachable: bool,
    muted: bool,
    devices: SoundDevices,
    said: Option<Said>,
    /// Since then nobody else is here.
    alone_since: Option<Instant>,
    unanswered: Option<Unanswered>,
}

/// Nobody has shown up yet, by picture or sound.
#[derive(Debug, Clone, PartialEq)]
struct Unanswered {
    /// The agent that was found, in whose place another will do.
    agent: Option<String>,
    until: Instant,
}

/// The end of a stay in a room.
enum Over {
    End(EndReason),
    /// The next agent is asked for.
    PassOver(String),
}

impl From<EndReason> for Over {
    fn from(reason: EndReason) -> Self {
        Self::End(reason)
    }
}

/// The last text, while it is shown.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    message: ShownMessage,
    until: Instant,
}

impl InCall {
    pub(in crate::session) fn enter(
        room_id: String,
        muted: bool,
        peers: Vec<Peer>,
        agent: Option<String>,
        facts: &Facts,
    ) -> (Self, Vec<Action>) {
        let patience = match agent {
            Some(_) => facts.patience.first_picture,
            None => facts.patience.answer,
        };
        let until = facts.now + patience;
        let alone = peers.is_empty();
        let mut members = Members::default();
        let mut actions: Vec<_> = peers
            .into_iter()
            .flat_map(|peer| members.update(peer))
            .collect();
        let state = Self {
            room_id,
            members,
            uplink: Uplink::up(),
            server_reachable: facts.server.is_ok(),
            muted,
            devices: SoundDevices::default(),
            said: None,
            alone_since: alone.then_some(facts.now),
            unanswered: (facts.role == Role::Guest).then_some(Unanswered { agent, until }),
        };
        actions.extend(state.next_wake(facts));
        (state, actions)
    }

    pub(in crate::session) fn transition(&self) -> Transition {
        Transition::InCall {
            room_id: self.room_id.clone(),
            uplink: self.uplink.link(),
            members: self.members.seen(),
            room_server_reachable: self.server_reachable,
            muted: self.muted,
            lacks: self.devices.lacks().collect(),
            said: self.said.as_ref().map(|said| said.message.clone()),
        }
    }

    /// Our own devices, as last told.
    pub(in crate::session) fn devices(&self) -> SoundDevices {
        self.devices
    }

    /// Checks that there is such a member to be played.
    ///
    /// # Errors
    /// The refusal, for whoever asks.
    pub(in crate::session) fn accepts_view(&self, user_id: &str) -> Result<(), String> {
        self.members.accepts_view(user_id)
    }

    pub(in crate::session) fn handle(mut self, event: Event, facts: &Facts) -> Decision<Self> {
        match self.follow(event, facts) {
            Ok(mut actions) => {
                actions.extend(self.next_wake(facts));
                Decision::Stay(self, actions)
            }
            Err(Over::End(reason)) => Decision::end(reason),
            Err(Over::PassOver(agent)) => {
                let actions = vec![Action::PassOver { agent }, Action::Leave];
                Decision::Enter(Entry::Queueing(FirstLook::Later), actions)
            }
        }
    }

    /// Follows an event; the error ends the call.
    fn follow(&mut self, event: Event, facts: &Facts) -> Result<Vec<Action>, Over> {
        let mut actions = vec![];
        match event {
            Event::Request(request) => actions = self.obey(request)?,
            Event::Said(message) => {
                let until = facts.now + facts.patience.text;
                self.said = Some(Said { message, until });
            }
            Event::RoomClosed { reason } => return Err(EndReason::RoomClosed { reason }.into()),
            Event::Kicked { reason } => return Err(EndReason::Kicked { reason }.into()),
            Event::MemberJoined(peer) | Event::MemberChanged(peer) => {
                self.alone_since = None;
                actions = self.members.update(peer);
                // Whoever comes later has not heard of it.
                if self.devices != SoundDevices::default() {
                    actions.push(Action::TellDevices(self.devices));
                }
            }
            Event::OwnDevices(devices) => {
                self.devices = devices;
                actions = vec![Action::TellDevices(devices)];
            }
            Event::TheirDevices { user_id, devices } => self.members.set_devices(&user_id, devices),
            Event::Flow {
                user_id,
                picture,
                sound,
            } => self.members.set_flow(&user_id, [picture, sound]),
            Event::MemberLeft { user_id } => actions = self.drop_member(user_id, facts)?,
            Event::Playing { user_id } => {
                self.unanswered = None;
                self.members.set_downlink(&user_id, Link::Up);
            }
            Event::PlayDisturbed { user_id } => {
                self.members.set_downlink(&user_id, Link::Connecting);
            }
            Event::PlayLost { user_id, .. } => {
                actions = self.members.lose_downlink(&user_id, facts);
            }
            Event::Wake => actions = self.wake(facts)?,
            Event::ServerUnreachable { .. } => self.server_reachable = false,
            Event::ServerReachable | Event::LoggedIn => self.server_reachable = true,
            event => actions = self.uplink.handle(event, &self.room_id, facts)?,
        }
        Ok(actions)
    }

    fn obey(&mut self, request: Request) -> Result<Vec<Action>, EndReason> {
        Ok(match request {
            Request::HangUp => return Err(EndReason::HungUp),
            Request::Mute { on: muted } => {
                self.muted = muted;
                vec![Action::SetMuted(muted)]
            }
            Request::Preview { on } => vec![Action::SetPreview(on)],
            Request::View { user, on } => self.members.view(&user, on),
            _ => vec![],
        })
    }

    fn drop_member(&mut self, user_id: String, facts: &Facts) -> Result<Vec<Action>, EndReason> {
        if !self.members.remove(&user_id) {
            return Ok(vec![]);
        }
        if self.members.is_empty() {
            if facts.role == Role::Guest {
                return Err(EndReason::PeerLeft);
            }
            self.alone_since = Some(facts.now);
        }
        Ok(vec![Action::StopPlay { user_id }])
    }

    /// Does what is due now; the error ends the call.
    fn wake(&mut self, facts: &Facts) -> Result<Vec<Action>, Over> {
        self.said = self.said.take().filter(|said| facts.now < said.until);
        if let Some(late) = self.unanswered.take_if(|agent| facts.now >= agent.until) {
            return Err(match late.agent {
                Some(agent) => Over::PassOver(agent),
                None => EndReason::NobodyAnswered.into(),
            });
        }
        if self.alone_until(facts).is_some_and(|end| facts.now >= end) {
            return Err(EndReason::PeerLeft.into());
        }
        let uplink = self.uplink.wake(&self.room_id, facts)?;
        let members = self.members.retry(facts.now);
        Ok(uplink.into_iter().chain(members).collect())
    }

    /// Time at which a guest who is alone leaves.
    fn alone_until(&self, facts: &Facts) -> Option<Instant> {
        let alone_since = self.alone_since.filter(|_| facts.role == Role::Guest);
        alone_since.map(|since| since + facts.patience.alone)
    }

    /// The wish to be woken for whatever is due next.
    fn next_wake(&self, facts: &Facts) -> Option<Action> {
        let due = [
            self.alone_until(facts),
            self.uplink.due(facts),
            self.members.due(),
            self.said.as_ref().map(|said| said.until),
            self.unanswered.as_ref().map(|late| late.until),
        ];
        let due = due.into_iter().flatten().min()?;
        Some(Action::WakeIn(due.saturating_duration_since(facts.now)))
    }
}
