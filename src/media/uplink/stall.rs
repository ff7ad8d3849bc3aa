//! A connection whose bytes stand still: whether it may come back by itself.
//!
//! TCP sends again after ever longer waits: when a link returns after 10 s, the next try may be
//! seconds away. A new connection is at once there, but a relay that did not see the old one end
//! refuses the stream's name. So while the path is gone the old one is kept, and when the relay
//! can be reached again it is replaced if it would take longer than a new one.

use std::time::Duration;

/// Time of a standstill after which we ask whether the relay can be reached.
const ASK: Duration = Duration::from_millis(1500);
/// Time before which a due retransmission is waited for: a new connection takes longer.
const SOON: Duration = Duration::from_millis(500);
/// Time after which a peer hangs that can be reached and takes nothing.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// Facts of a connection that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) still: Duration,
    /// Time since which the relay answers others.
    pub(super) reachable: Option<Duration>,
    /// The kernel's next retransmission, if it makes any.
    pub(super) next_try: Option<Duration>,
    /// Time for which a lost stream is waited for.
    pub(super) window: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Leave it: all is well, or will be soon.
    Wait,
    /// Find out whether the relay can be reached.
    Ask,
    /// Make a new connection.
    Replace,
}

pub(super) fn judge(facts: &Facts) -> Verdict {
    let hopeless = facts.still >= facts.window.max(SILENCE);
    match facts.reachable {
        _ if hopeless => Verdict::Replace,
        // The peer answers and does not read, or nothing was to be sent.
        Some(_) if facts.still >= SILENCE && facts.next_try.is_none() => Verdict::Replace,
        Some(since) if facts.next_try.is_some() => {
            let late = facts.next_try.is_some_and(|wait| wait > SOON) || since > SOON;
            if late {
                Verdict::Replace
            } else {
                Verdict::Wait
            }
        }
        None if facts.still >= ASK => Verdict::Ask,
        _ => Verdict::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_replaced_only_when_a_new_one_is_better() {
        let ms = Duration::from_millis;
        for (still, reachable, next_try, expected) in [
            (1000, None, None, Verdict::Wait),
            (1000, Some(0), None, Verdict::Wait),
            (1500, None, Some(700), Verdict::Ask),
            // The link is gone: whatever is new would not get through either.
            (20_000, None, Some(6000), Verdict::Ask),
            (30_000, None, Some(6000), Verdict::Replace),
            // It is back.
            (10_000, Some(0), Some(2600), Verdict::Replace),
            (10_000, Some(0), Some(300), Verdict::Wait),
            (10_600, Some(600), Some(300), Verdict::Replace),
            // The peer acknowledges what it got, and has no room for more.
            (4000, Some(2000), None, Verdict::Wait),
            (5000, Some(3000), None, Verdict::Replace),
        ] {
            let facts = Facts {
                still: ms(still),
                reachable: reachable.map(ms),
                next_try: next_try.map(ms),
                window: Duration::from_secs(30),
            };
            assert_eq!(judge(&facts), expected, "{facts:?}");
        }
    }
}
