//! A call over the link: the kiosk on the near side, an agent and a plain player on this one.

use std::time::Duration;

use crate::far::{self, Agent, Player};
use crate::lab::Lab;
use crate::near::{Job, Said};
use crate::{AGENT, STREAM, until};

/// Least, first and most kbit/s of the kiosk, as a call on the preset `sd`.
const RATES: [u32; 3] = [100, 800, 800];
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Call {
    pub(crate) lab: Lab,
    /// Sees and hears what the kiosk pushes.
    pub(crate) player: Player,
    _agent: Agent,
}

impl Call {
    /// Starts everything at a relay that has these URLs; returns when both directions work.
    pub(crate) fn start(mut lab: Lab, url: &dyn Fn(&str) -> String, agent_kbps: u32) -> Self {
        far::init();
        let agent = Agent::start(&url(AGENT), agent_kbps);
        lab.go(&Job {
            push: Some(url(STREAM)),
            play: Some(url(AGENT)),
            rates: RATES,
            ..Job::default()
        });
        let player = Player::start(&url(STREAM));
        let wait = |what, found: fn(&Said) -> bool| until(&lab, what, PATIENCE, found);
        wait(
            "the push flows",
            |said| matches!(said, Said::Up(up) if up.connected),
        );
        wait(
            "the agent is heard",
            |said| matches!(said, Said::Down(down) if down.heard),
        );
        wait("the agent is seen", |said| {
            matches!(said, Said::Shown { .. })
        });
        Self {
            lab,
            player,
            _agent: agent,
        }
    }
}
