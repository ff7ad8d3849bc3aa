//! The uplink of a call: once lost, it has a window to come back in.

use std::time::Instant;

use crate::display::{EndReason, Fault, FaultCode};
use crate::session::action::Action;
use crate::session::event::{Event, RoomFailure};
use crate::session::facts::Facts;
use crate::session::transition::Link;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Uplink {
    phase: Phase,
    /// The fault that the uplink was lost to the last time.
    last_loss: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
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

impl Uplink {
    pub(super) fn up() -> Self {
        Self {
            phase: Phase::Up,
            last_loss: None,
        }
    }

    pub(super) fn link(&self) -> Link {
        match self.phase {
            Phase::Up => Link::Up,
            Phase::Reconnecting | Phase::Renewing { .. } => Link::Connecting,
            Phase::Waiting { .. } => Link::Lost,
        }
    }

    /// Time of the next wake that is needed.
    pub(super) fn due(&self, facts: &Facts) -> Option<Instant> {
        match self.phase {
            Phase::Up | Phase::Reconnecting => None,
            Phase::Renewing { since } => Some(since + facts.patience.uplink),
            Phase::Waiting { since, retry_at } => Some(retry_at.min(since + facts.patience.uplink)),
        }
    }

    /// Follows an event of the uplink; the error ends the call.
    pub(super) fn handle(
        &mut self,
        event: Event,
        room_id: &str,
        facts: &Facts,
    ) -> Result<Vec<Action>, EndReason> {
        if let Event::PushLost(fault) = &event {
            self.last_loss = Some(fault.clone());
        }
        let room_id = || room_id.to_owned();
        let mut actions = vec![];
        match (event, self.phase) {
            (Event::PushReconnecting, Phase::Up) => self.phase = Phase::Reconnecting,
            (Event::Pushing, Phase::Reconnecting)
            | (Event::Entered(Ok(())), Phase::Renewing { .. }) => self.phase = Phase::Up,
            (Event::PushLost(_), Phase::Up | Phase::Reconnecting) => {
                self.phase = Phase::Renewing { since: facts.now };
                let room_id = room_id();
                actions = vec![Action::StopPush, Action::GetPushUrl { room_id }];
            }
            (Event::PushUrl(Ok(())), Phase::Renewing { .. }) => actions = vec![Action::StartPush],
            (Event::PushUrl(Err(_)), Phase::Renewing { since }) => self.wait(since, facts),
            (Event::Pushing, Phase::Renewing { .. }) => {
                actions = vec![Action::Enter { room_id: room_id() }];
            }
            (Event::Entered(Err(RoomFailure::Taken(reason))), Phase::Renewing { .. }) => {
                return Err(EndReason::RoomClosed { reason });
            }
            (Event::PushLost(_) | Event::Entered(Err(_)), Phase::Renewing { since }) => {
                self.wait(since, facts);
                actions = vec![Action::StopPush];
            }
            _ => {}
        }
        Ok(actions)
    }

    fn wait(&mut self, since: Instant, facts: &Facts) {
        self.phase = Phase::Waiting {
            since,
            retry_at: facts.now + facts.spread(facts.patience.retry),
        };
    }

    /// Does what is due now; the error ends the call.
    pub(super) fn wake(
        &mut self,
        room_id: &str,
        facts: &Facts,
    ) -> Result<Option<Action>, EndReason> {
        if let Phase::Renewing { since } | Phase::Waiting { since, .. } = self.phase
            && facts.now >= since + facts.patience.uplink
        {
            return Err(EndReason::Failed(self.given_up()));
        }
        let Phase::Waiting { since, retry_at } = self.phase else {
            return Ok(None);
        };
        if facts.now < retry_at {
            return Ok(None);
        }
        self.phase = Phase::Renewing { since };
        let room_id = room_id.to_owned();
        Ok(Some(Action::GetPushUrl { room_id }))
    }

    fn given_up(&mut self) -> Fault {
        let lost = self.last_loss.take();
        let lost = lost.unwrap_or_else(|| Fault::new(FaultCode::NoRelay, "no word from the relay"));
        let reason = format!("the uplink did not come back: {}", lost.reason);
        Fault::new(lost.code, reason)
    }
}
