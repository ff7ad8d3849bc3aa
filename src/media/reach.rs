//! Asks often whether a relay can be reached: when a link comes back, streams come back with
//! it, and do not wait for the next of their own ever rarer tries.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::relay_url;
use crate::tls::{ClientTls, Dialer};

/// Longest time between two questions: our choice.
const AGAIN: Duration = Duration::from_millis(400);
/// Longest time for an answer: a far relay may answer after the next question was asked.
const ANSWER: Duration = Duration::from_millis(1500);

/// The way to a relay.
#[derive(Debug, Clone)]
pub(super) struct Way {
    dialer: Dialer,
    host: String,
    port: u16,
}

impl Way {
    /// The way to the relay of a stream's URL.
    pub(super) fn of(url: &str, tls: &ClientTls) -> Option<Self> {
        Some(Self {
            dialer: tls.dialer().clone(),
            host: relay_url::host(url)?,
            port: relay_url::port(url)?,
        })
    }

    /// Begins to ask.
    pub(super) fn ask(&self) -> Question {
        Question::ask(self.clone())
    }
}

/// Asks a relay again and again whether it takes connections; ends when it does, or when
/// dropped.
#[derive(Debug)]
pub(super) struct Question {
    answer: watch::Receiver<Option<Instant>>,
    asking: JoinHandle<()>,
}

impl Question {
    /// The host is resolved anew each time; its old addresses serve while no name server answers.
    fn ask(way: Way) -> Self {
        let (answered, answer) = watch::channel(None);
        let asking = tokio::spawn(async move {
            let mut questions = JoinSet::new();
            loop {
                let way = way.clone();
                questions.spawn(async move {
                    let connected = timeout(ANSWER, way.dialer.connect(&way.host, way.port)).await;
                    matches!(connected, Ok(Ok(_)))
                });
                if yes(&mut questions, pause()).await {
                    break;
                }
            }
            answered.send_replace(Some(Instant::now()));
        });
        Self { answer, asking }
    }

    /// Time since which the relay can be reached; does not wait.
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

/// A random pause, so that not all kiosks of a branch ask at once.
fn pause() -> Duration {
    AGAIN.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

/// Whether one of the questions is answered with yes within `limit`; takes all of it if not.
async fn yes(questions: &mut JoinSet<bool>, limit: Duration) -> bool {
    let pause = sleep(limit);
    tokio::pin!(pause);
    loop {
        tokio::select! {
            () = &mut pause => return false,
            Some(answer) = questions.join_next() => if answer.unwrap_or(false) {
                return true;
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_relay_that_comes_up_is_noticed_soon() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let url = format!("rtmp://localhost:{}/live/x", address.port());
        let way = Way::of(&url, &ClientTls::default()).expect("a relay");
        let question = way.ask();
        sleep(3 * AGAIN).await;
        assert_eq!(question.answered(), None);
        let _relay = TcpListener::bind(address).await.expect("the port again");
        let waited = timeout(ANSWER + AGAIN, question.wait()).await;
        assert!(waited.is_ok(), "not noticed");
    }
}
