//! HTTP to both services: one request, one answer of bounded size, in time.

use std::time::Duration;

use super::client_settings::{ClientSettings, SetupError};
use super::transport::TransportKind;
use crate::protocol::webim;
use crate::tls::Pin;

/// Maximum size of an answer, in bytes: far above a full list of rooms, or a hundred full messages.
pub(super) const ANSWER_LIMIT: usize = 1 << 20;

/// Idle time after which a connection is not used again, so that no request runs into its
/// closing: Node closes idle ones after 5 s.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// Pauses that a server may ask for one after the other.
const WAITS: u32 = 4;
/// Least and greatest of them.
const SHORTEST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Sets up connections with the trust and the patience of `settings`, to a server that has one
/// of the keys `pins`.
pub(super) fn http_client(
    settings: &ClientSettings,
    pins: &[Pin],
) -> Result<reqwest::Client, SetupError> {
    let tls = settings.trust.client(pins);
    reqwest::Client::builder()
        .user_agent(concat!("rtckiosk/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(2)
        .tls_backend_preconfigured(tls.config())
        .build()
        .map_err(SetupError::Http)
}

/// An answer as it came.
pub(super) struct Fetched {
    pub(super) status: u16,
    /// Whether its head tells of a message service on the same host.
    pub(super) messages_here: bool,
    /// The pause that the server asks for in place of an answer.
    retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// A failed exchange, whose cause has lost its URL: the query carries token, userSig or A2Key.
pub(super) enum FetchError {
    Transport(TransportKind, Option<reqwest::Error>),
    TooLarge,
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(TransportKind::of(&error), Some(error.without_url()))
    }
}

/// Sends the request and reads the answer up to the limit, all before the deadline.
pub(super) async fn fetch(
    request: reqwest::RequestBuilder,
    deadline: Duration,
) -> Result<Fetched, FetchError> {
    tokio::time::timeout(deadline, exchange(request))
        .await
        .unwrap_or(Err(FetchError::Transport(TransportKind::Timeout, None)))
}

/// Tries again after the time that a server asks for which is asked too often (429, or 503 with
/// `Retry-After`): that is a wait and no failure. The caller's own limit bounds it.
pub(super) async fn fetch_patiently(
    request: reqwest::RequestBuilder,
    deadline: Duration,
) -> Result<Fetched, FetchError> {
    let mut next = Some(request);
    for _ in 0..WAITS {
        let Some(request) = next.take() else {
            break;
        };
        next = request.try_clone();
        let fetched = fetch(request, deadline).await?;
        let Some(wait) = fetched.retry_after.filter(|_| next.is_some()) else {
            return Ok(fetched);
        };
        // Nobody comes early, and not all come at once.
        let wait = wait.mul_f64(1.0 + rand::random::<f64>() / 4.0);
        log::info!(status = fetched.status, wait:?; "the server asks for a pause");
        tokio::time::sleep(wait).await;
    }
    match next {
        Some(request) => fetch(request, deadline).await,
        None => Err(FetchError::Transport(TransportKind::Broken, None)),
    }
}

/// The pause that a server asks for, at most a minute.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let header = response.headers().get(reqwest::header::RETRY_AFTER);
    let seconds = header.and_then(|header| header.to_str().ok()?.trim().parse::<u64>().ok());
    let asked = seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    match response.status().as_u16() {
        429 => Some(asked.unwrap_or(SHORTEST_WAIT).max(SHORTEST_WAIT)),
        503 => asked.map(|asked| asked.max(SHORTEST_WAIT)),
        _ => None,
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<Fetched, FetchError> {
    let mut response = request.send().await?;
    let here = response.headers().get(webim::HERE_HEADER);
    let messages_here = here.is_some_and(|here| here == webim::HERE);
    let retry_after = retry_after(&response);
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > ANSWER_LIMIT {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Fetched {
        status: response.status().as_u16(),
        messages_here,
        retry_after,
        body,
    })
}
