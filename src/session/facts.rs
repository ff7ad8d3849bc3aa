//! Everything that decisions depend on beside state and event: clock, settings, the server.

use std::time::{Duration, Instant};

use super::transition::Transition;
use crate::config::kiosk::Role;
use crate::display::{EndReason, Fault};

/// Periods a session keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Between two looks for an idle agent.
    pub queue_poll: Duration,
    /// For everything from pressing the button to being in the room.
    pub connect: Duration,
    /// For a lost uplink to come back before the call is given up.
    pub uplink: Duration,
    /// Between two tries to get a lost uplink or downlink back.
    pub retry: Duration,
    /// For the first other member to show up in a room that had one.
    pub alone: Duration,
    /// For an agent that was found to be seen or heard; then the next one is asked.
    pub first_picture: Duration,
    /// For anybody to answer, counted from the wish for a call.
    pub answer: Duration,
    /// For the goodbye to stay on the screen.
    pub goodbye: Duration,
    /// For leaving a room in good order.
    pub leave: Duration,
    /// For a text to stay on the screen.
    pub text: Duration,
    /// For the camera to stay open between calls.
    pub preview: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            queue_poll: Duration::from_secs(2),
            connect: Duration::from_secs(20),
            uplink: Duration::from_secs(120),
            retry: Duration::from_secs(2),
            alone: Duration::from_secs(10),
            first_picture: Duration::from_secs(10),
            answer: Duration::from_secs(300),
            goodbye: Duration::from_secs(3),
            leave: Duration::from_secs(6),
            text: Duration::from_secs(8),
            preview: Duration::from_secs(120),
        }
    }
}

/// Everything that decisions depend on beside state and event.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub now: Instant,
    /// Of the next call, or the one that runs.
    pub role: Role,
    pub patience: Patience,
    /// Start the next call without being asked, as an agent's side does.
    pub auto_call: bool,
    /// The room server answers, as far as is known.
    pub server: Result<(), Fault>,
    /// Calls that failed since the last one that took place.
    pub failed_calls: u32,
    /// Moment from which on the customer has been waiting for an answer.
    pub waiting_since: Option<Instant>,
    /// From 0 to 1, new for each event: spreads what many kiosks would do at once.
    pub random: f64,
}

/// Maximum wait before a call that starts by itself: an agent is missed for no longer.
const MAX_WAIT: Duration = Duration::from_secs(60);

impl Facts {
    /// Counts failures and time; to be called with each state that is entered.
    pub(super) fn note(&mut self, entered: &Transition) {
        match entered {
            Transition::Queueing => {
                self.waiting_since.get_or_insert(self.now);
            }
            Transition::Connecting { .. } | Transition::InCall { .. } => {}
            _ => self.waiting_since = None,
        }
        match entered {
            Transition::InCall { .. } => self.failed_calls = 0,
            Transition::Ending {
                reason: EndReason::Failed(_),
            } => self.failed_calls = self.failed_calls.saturating_add(1),
            _ => {}
        }
    }

    /// Time that is left for anybody to answer.
    pub(super) fn before_unanswered(&self) -> Duration {
        let since = self.waiting_since.unwrap_or(self.now);
        (since + self.patience.answer).saturating_duration_since(self.now)
    }

    /// The wait before a call that starts by itself: doubles with each failure, up to a minute,
    /// less up to a quarter at random.
    pub(super) fn before_auto_call(&self) -> Duration {
        let doubled = self
            .patience
            .retry
            .saturating_mul(1 << self.failed_calls.min(10));
        self.spread(doubled.min(MAX_WAIT))
    }

    /// The period, less up to a quarter at random.
    pub(super) fn spread(&self, period: Duration) -> Duration {
        period.mul_f64(1.0 - self.random.clamp(0.0, 1.0) / 4.0)
    }
}
