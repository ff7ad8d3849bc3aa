//! Sending a client of an external relay away: nginx by its control page, SRS by its API.

use std::time::Duration;

use reqwest::Method;
use tokio::time::{sleep, timeout};
use url::Url;

use super::status_query::root_cause;
use crate::config::server::{Hooks, RelayKind};
use crate::process::backoff::Backoff;
use crate::tls::HttpClient;

/// Deadline of one request.
const DEADLINE: Duration = Duration::from_secs(3);
/// Requests until it is given up, and the pauses between them.
const TRIES: u32 = 4;
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// The way to a relay's control.
#[derive(Debug, Clone)]
pub struct Kick {
    http: HttpClient,
    control: Url,
    kind: RelayKind,
}

impl Kick {
    /// Prepares to ask; `None` = the configuration names no control address.
    #[must_use]
    pub fn new(hooks: &Hooks, http: HttpClient) -> Option<Self> {
        let control = hooks.control.clone()?;
        Some(Self {
            http,
            control,
            kind: hooks.kind,
        })
    }

    /// Asks the relay to close a connection, beside everything else.
    pub(super) fn send_away(&self, client: &str, app: &str, stream: &str, publishes: bool) {
        let (method, url) = self.request(client, app, stream, publishes);
        let (http, stream) = (self.http.clone(), stream.to_owned());
        tokio::spawn(async move {
            let mut backoff = Backoff::endless(PAUSE.0, PAUSE.1);
            loop {
                let sent = http.send(http.request(method.clone(), url.clone()));
                let reason = match timeout(DEADLINE, sent).await {
                    Ok(Ok(answer)) if answer.status().is_success() => return,
                    // It has left by itself.
                    Ok(Ok(answer)) if answer.status().as_u16() == 404 => return,
                    Ok(Ok(answer)) => format!("HTTP {}", answer.status()),
                    Ok(Err(error)) => root_cause(&error),
                    Err(_) => format!("no answer within {DEADLINE:?}"),
                };
                let pause = backoff.next_pause(rand::random());
                if backoff.failures() >= TRIES {
                    return log::error!(stream, reason:%; "a client could not be sent away");
                }
                log::warn!(stream, reason:%, pause:?; "sending a client away is tried again");
                sleep(pause).await;
            }
        });
    }

    fn request(&self, client: &str, app: &str, stream: &str, publishes: bool) -> (Method, Url) {
        let mut url = self.control.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        match self.kind {
            RelayKind::Nginx => {
                let who = if publishes { "publisher" } else { "subscriber" };
                url.set_path(&format!("{base}/drop/{who}"));
                url.query_pairs_mut()
                    .append_pair("app", app)
                    .append_pair("name", stream)
                    .append_pair("clientid", client);
                (Method::GET, url)
            }
            RelayKind::Srs => {
                url.set_path(&format!("{base}/api/v1/clients/{client}"));
                (Method::DELETE, url)
            }
        }
    }
}
