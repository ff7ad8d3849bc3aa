//! A connection whose bytes stand still: whether it may come back by itself.
//!
//! TCP sends again after ever longer waits: when a link returns after 10 s, the next try may be
//! seconds away. A new connection is at once there, but a relay that did not see the old one end
//! refuses the stream's name. So while the path is gone the old one is kept, and when the relay
//! can be reached again it is replaced if it would take longer than a new one.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Bytes that stand still for this long make us ask whether the relay can be reached.
const ASK: Duration = Duration::from_millis(1500);
/// Between two questions, and for an answer.
const AGAIN: Duration = Duration::from_millis(400);
const ANSWER: Duration = Duration::from_millis(1200);
/// A retransmission that is due before this is waited for: a new connection takes longer.
const SOON: Duration = Duration::from_millis(500);
/// A peer that can be reached and takes nothing for this long hangs.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// What is known of a connection that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) still: Duration,
    /// Since when the relay answers others.
    pub(super) reachable: Option<Duration>,
    /// The kernel's next retransmission, if it makes any.
    pub(super) next_try: Option<Duration>,
    /// How long a lost stream is waited for.
    pub(super) window: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well, or will be soon.
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

/// Asks a relay again and again whether it can be reached; ends when it can, or when dropped.
#[derive(Debug)]
pub(super) struct Question {
    answer: watch::Receiver<Option<Instant>>,
    asking: JoinHandle<()>,
}

impl Question {
    pub(super) fn ask(relay: SocketAddr) -> Self {
        let (answered, answer) = watch::channel(None);
        let asking = tokio::spawn(async move {
            while !matches!(timeout(ANSWER, TcpStream::connect(relay)).await, Ok(Ok(_))) {
                // Not all kiosks of a branch at once.
                sleep(AGAIN.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
            }
            answered.send_replace(Some(Instant::now()));
        });
        Self { answer, asking }
    }

    /// Since when the relay can be reached; does not wait.
    pub(super) fn answered(&self) -> Option<Instant> {
        *self.answer.borrow()
    }

    /// Waits until the relay can be reached.
    pub(super) async fn wait(mut self) {
        // An error means that the task ended with its answer.
        let _ = self.answer.wait_for(Option::is_some).await;
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.asking.abort();
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
