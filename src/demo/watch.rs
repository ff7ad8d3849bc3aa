//! Follows a demo call until it is over.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::interval;

use super::participants::Participants;
use super::summary;
use crate::appliance::run::stop_signal;
use crate::process::output;
use crate::session::Transition;

/// Time between two looks at the figures: sound is measured in blocks of about this length.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Looks between two prints of the summary: one a second.
const LOOKS_PER_PRINT: u32 = 5;

/// Follows the call until its time is over, somebody presses Ctrl-C, or it ends. Returns the
/// events of the room.
pub(super) async fn watch(
    participants: &Participants,
    entered: Instant,
    length: Option<Duration>,
    shows_summary: bool,
) -> Result<Vec<String>> {
    let mut events = RoomEvents::default();
    let mut looks = interval(LOOK_EVERY);
    let mut count = 0_u32;
    let mut transitions = participants.kiosk.session().transitions();
    let mut texts_sent = false;
    let stop = stop_signal();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            stopped = &mut stop => return stopped.map(|()| events.list),
            _ = looks.tick() => {}
        }
        events.follow(&transitions.borrow_and_update());
        participants.listen().await?;
        texts_sent = texts_sent || participants.exchange_texts().await?;
        if shows_summary && count.is_multiple_of(LOOKS_PER_PRINT) {
            let screen = summary::screen(participants, entered, &events.list).await?;
            output::print(&screen).context("standard output")?;
        }
        count += 1;
        let over = length.is_some_and(|length| entered.elapsed() >= length);
        if over || !matches!(&*transitions.borrow(), Transition::InCall { .. }) {
            return Ok(events.list);
        }
    }
}

/// Comings and goings that the kiosk learns of, by the names that Tencent's clients give them.
#[derive(Debug, Default)]
struct RoomEvents {
    members: BTreeSet<String>,
    list: Vec<String>,
}

impl RoomEvents {
    fn follow(&mut self, transition: &Transition) {
        let Transition::InCall { members, .. } = transition else {
            return;
        };
        let now: BTreeSet<_> = members.keys().cloned().collect();
        let joined = now.difference(&self.members).map(|_| "pusher_join");
        let left = self.members.difference(&now).map(|_| "pusher_quit");
        self.list.extend(joined.chain(left).map(str::to_owned));
        self.members = now;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::session::{CallMember, Link};

    #[test]
    fn joining_and_leaving_are_listed_once() {
        let in_call = |ids: &[&str]| Transition::InCall {
            room_id: "r".into(),
            uplink: Link::Up,
            members: ids
                .iter()
                .map(|id| {
                    let remote = CallMember {
                        name: (*id).into(),
                        downlink: Link::Up,
                        lacks: vec![],
                    };
                    ((*id).to_owned(), remote)
                })
                .collect::<BTreeMap<_, _>>(),
            room_server_reachable: true,
            muted: false,
            lacks: vec![],
            said: None,
        };
        let mut events = RoomEvents::default();
        for state in [
            in_call(&[]),
            in_call(&["a"]),
            in_call(&["a"]),
            in_call(&["b"]),
        ] {
            events.follow(&state);
        }
        assert_eq!(events.list, ["pusher_join", "pusher_join", "pusher_quit"]);
    }
}
