//! The other members of a call, and the downlinks that play them.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::display::Lack;
use crate::session::action::Action;
use crate::session::event::{Peer, SoundDevices};
use crate::session::facts::Facts;
use crate::session::transition::{CallMember, Link};

/// By userID.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Members(BTreeMap<String, Member>);

#[derive(Debug, Clone, PartialEq)]
struct Member {
    peer: Peer,
    downlink: Link,
    /// Whether they are to be played.
    wanted: bool,
    /// Play again then; set when the player gave up.
    retry_at: Option<Instant>,
    /// Whether their picture and their sound have stopped.
    stopped: [bool; 2],
    devices: SoundDevices,
}

impl Member {
    fn lacks(&self) -> Vec<Lack> {
        let stopped = [Lack::Picture, Lack::Sound].into_iter().zip(self.stopped);
        let stopped = stopped.filter_map(|(track, stopped)| stopped.then_some(track));
        stopped.chain(self.devices.lacks()).collect()
    }
}

impl Members {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members as everyone outside sees them.
    pub(super) fn seen(&self) -> BTreeMap<String, CallMember> {
        let member = |member: &Member| CallMember {
            name: member.peer.name.clone(),
            downlink: member.downlink,
            lacks: member.lacks(),
        };
        let members = self.0.iter();
        members
            .map(|(id, seen)| (id.clone(), member(seen)))
            .collect()
    }

    /// Time of the next wake that is needed.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.values().filter_map(|member| member.retry_at).min()
    }

    /// Checks that there is such a member to be played.
    ///
    /// # Errors
    /// The refusal, for whoever asks.
    pub(super) fn accepts_view(&self, user_id: &str) -> Result<(), String> {
        if self.0.contains_key(user_id) {
            return Ok(());
        }
        let members: Vec<_> = self.0.keys().map(String::as_str).collect();
        Err(match members.as_slice() {
            [] => "nobody else is in the room".to_owned(),
            members => format!("nobody of that id is in the room: {}", members.join(", ")),
        })
    }

    /// Plays a member or not, by command.
    pub(super) fn view(&mut self, user_id: &str, on: bool) -> Vec<Action> {
        let member = self.0.get_mut(user_id);
        let Some(member) = member.filter(|member| member.wanted != on) else {
            return vec![];
        };
        member.wanted = on;
        member.retry_at = None;
        if on {
            member.downlink = Link::Connecting;
            vec![Action::Play(member.peer.clone())]
        } else {
            member.downlink = Link::Off;
            let user_id = user_id.to_owned();
            vec![Action::StopPlay { user_id }]
        }
    }

    /// Takes a member in, or what has changed of them.
    pub(super) fn update(&mut self, peer: Peer) -> Vec<Action> {
        let user_id = peer.user_id.clone();
        let mut actions = vec![];
        if let Some(known) = self.0.get_mut(&user_id) {
            if !known.wanted || same_stream(&known.peer, &peer) {
                // The next player takes the new signature; the one that plays needs none.
                known.peer = peer;
                return actions;
            }
            let user_id = user_id.clone();
            actions.push(Action::StopPlay { user_id });
        }
        actions.push(Action::Play(peer.clone()));
        let member = Member {
            peer,
            downlink: Link::Connecting,
            wanted: true,
            retry_at: None,
            stopped: [false; 2],
            devices: self
                .0
                .get(&user_id)
                .map(|known| known.devices)
                .unwrap_or_default(),
        };
        self.0.insert(user_id, member);
        actions
    }

    /// Whether there was such a member.
    pub(super) fn remove(&mut self, user_id: &str) -> bool {
        self.0.remove(user_id).is_some()
    }

    pub(super) fn set_downlink(&mut self, user_id: &str, link: Link) {
        if let Some(member) = self.wanted(user_id) {
            member.downlink = link;
        }
    }

    /// Notes which tracks of a member flow. One that goes on alone is no disturbance.
    pub(super) fn set_flow(&mut self, user_id: &str, flows: [Option<bool>; 2]) {
        if let Some(member) = self.wanted(user_id) {
            member.stopped = flows.map(|flows| flows == Some(false));
            if flows.contains(&Some(true)) {
                member.downlink = Link::Up;
            }
        }
    }

    pub(super) fn set_devices(&mut self, user_id: &str, devices: SoundDevices) {
        if let Some(member) = self.0.get_mut(user_id) {
            member.devices = devices;
        }
    }

    /// Stops a player that gave up; another one is due soon.
    pub(super) fn lose_downlink(&mut self, user_id: &str, facts: &Facts) -> Vec<Action> {
        let Some(member) = self.wanted(user_id) else {
            return vec![];
        };
        member.downlink = Link::Lost;
        member.retry_at = Some(facts.now + facts.spread(facts.patience.retry));
        let user_id = user_id.to_owned();
        // The URL may not open the stream any more.
        vec![Action::StopPlay { user_id }, Action::LookAtMembers]
    }

    /// Plays again whoever is due.
    pub(super) fn retry(&mut self, now: Instant) -> Vec<Action> {
        let is_due = |member: &&mut Member| member.retry_at.is_some_and(|at| now >= at);
        let due = self.0.values_mut().filter(is_due);
        due.map(|member| {
            member.retry_at = None;
            member.downlink = Link::Connecting;
            Action::Play(member.peer.clone())
        })
        .collect()
    }

    fn wanted(&mut self, user_id: &str) -> Option<&mut Member> {
        self.0.get_mut(user_id).filter(|member| member.wanted)
    }
}

/// Whether both URLs lead to one stream: they may differ in their signature.
fn same_stream(old: &Peer, new: &Peer) -> bool {
    let stream = |peer: &Peer| peer.play_url.split('?').next().map(str::to_owned);
    stream(old) == stream(new)
}
