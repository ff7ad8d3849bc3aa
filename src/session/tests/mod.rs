//! The machine without its shell: whole calls as sequences of events, and random ones.

mod connecting;
mod in_call;
mod random;
mod streams;

use std::time::{Duration, Instant};

use super::action::Action;
use super::event::{Event, Peer, RoomFailure};
use super::facts::{Facts, Patience};
use super::page::page;
use super::request::Request;
use super::state::{Next, State};
use super::states::{Attract, Entry, Starting};
use super::transition::{Link, Transition};
use crate::config::kiosk::Role;
use crate::display::{CallPage, Page, ShownMessage};
use crate::display::{EndReason, Fault, FaultCode};

struct Machine {
    state: State,
    facts: Facts,
}

impl Machine {
    fn new(role: Role) -> Self {
        let facts = Facts {
            now: Instant::now(),
            role,
            patience: Patience::default(),
            auto_call: false,
            server: Ok(()),
            failed_calls: 0,
            waiting_since: None,
            random: 0.0,
        };
        Self {
            state: State::Starting(Starting),
            facts,
        }
    }

    fn feed(&mut self, event: Event) -> Vec<Action> {
        let next = self.state.clone().handle(event, &self.facts);
        let before = std::mem::replace(&mut self.state, next.state).transition();
        if self.state.transition() != before {
            self.facts.note(&self.state.transition());
        }
        next.actions
    }

    fn feed_all(&mut self, events: impl IntoIterator<Item = Event>) -> Vec<Action> {
        events
            .into_iter()
            .flat_map(|event| self.feed(event))
            .collect()
    }

    fn later(&mut self, seconds: u64) {
        self.facts.now += Duration::from_secs(seconds);
    }

    fn in_call(role: Role) -> Self {
        let mut machine = Self::new(role);
        machine.feed_all([Event::LoggedIn, Event::Request(Request::Call)]);
        match role {
            Role::Guest => machine.feed(Event::RoomFound(Ok(Some("r1".into())))),
            Role::Host => machine.feed(Event::RoomCreated(Ok("r1".into()))),
        };
        machine.feed_all([
            Event::PushUrl(Ok(())),
            Event::CaptureReady(Ok(())),
            Event::Pushing,
            Event::Entered(Ok(())),
        ]);
        assert!(
            matches!(machine.state, State::InCall(_)),
            "{:?}",
            machine.state
        );
        // Somebody was seen: nobody is passed over any more.
        machine.feed(Event::Playing {
            user_id: "somebody".into(),
        });
        machine
    }

    fn page(&self) -> Page {
        page(&self.state.transition())
    }

    fn reason(&self) -> EndReason {
        match self.state.transition() {
            Transition::Ending { reason } => reason,
            other => panic!("not ending: {other:?}"),
        }
    }
}

fn call_with(members: &[&str]) -> CallPage {
    CallPage {
        members: members.iter().map(|&name| name.into()).collect(),
        ..CallPage::default()
    }
}

fn peer(id: &str, url: &str) -> Peer {
    Peer {
        user_id: id.into(),
        name: id.to_uppercase(),
        play_url: url.into(),
    }
}

fn get_push_url() -> Action {
    Action::GetPushUrl {
        room_id: "r1".into(),
    }
}

fn without_wake(actions: Vec<Action>) -> Vec<Action> {
    actions
        .into_iter()
        .filter(|action| !matches!(action, Action::WakeIn(_)))
        .collect()
}

impl From<&str> for super::event::Found {
    fn from(room_id: &str) -> Self {
        Self {
            room_id: room_id.to_owned(),
            agent: "agent".to_owned(),
        }
    }
}
