//! A call that goes on beside the attacks: a kiosk and an agent with identities of their own.

use rtckiosk::config::server::UserRole;

use crate::support::kiosk::{Agent, Kiosk, Setting};
use crate::support::locked::Locked;
use crate::support::{PATIENCE, number, until_grown};

/// The room that the agent opens.
pub(crate) const ROOM: &str = "counter";

/// The users of every server here; everybody else is plain.
pub(crate) const USERS: &[(&str, UserRole)] = &[
    ("agent", UserRole::Agent),
    ("agent-2", UserRole::Agent),
    ("kiosk", UserRole::Kiosk),
];

/// An agent that waits.
pub(crate) fn agent(locked: &Locked) -> Agent {
    let room = format!(
        "mode = \"host\"\nroom_id = \"{ROOM}\"\n{}",
        locked.credentials("agent")
    );
    Agent::start(&Setting {
        room: &room,
        ..Setting::agent(&locked.server.url)
    })
}

/// A kiosk that nobody has touched yet.
pub(crate) fn kiosk(locked: &Locked) -> Kiosk {
    let room = locked.credentials("kiosk");
    Kiosk::start(&Setting {
        room: &room,
        ..Setting::kiosk(&locked.server.url)
    })
}

/// A kiosk and an agent that see each other.
pub(crate) struct Call {
    pub(crate) kiosk: Kiosk,
    pub(crate) agent: Agent,
}

impl Call {
    pub(crate) fn start(locked: &Locked) -> Self {
        let agent = agent(locked);
        let kiosk = kiosk(locked);
        kiosk.call("agent");
        Self { kiosk, agent }
    }

    /// Nothing of what happened meanwhile was felt in the call, and it still goes on.
    pub(crate) fn was_not_touched(&self) {
        until_grown("the kiosk still sees the agent", PATIENCE, 30, || {
            self.kiosk.frames_of("agent")
        });
        until_grown("the agent still sees the kiosk", PATIENCE, 30, || {
            self.agent.frames_of("kiosk")
        });
        let status = self.kiosk.status();
        let freezes = number(&status, "downlinks.agent.freezes");
        let reconnects = number(&status, "downlinks.agent.reconnects");
        let failed = number(&status, "room.heartbeats_failed");
        assert_eq!((freezes, reconnects, failed), (0, 0, 0), "{status:#}");
    }
}
