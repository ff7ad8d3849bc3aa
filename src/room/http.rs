//! HTTP to both services: one request, one answer of bounded size, in time.

use std::time::Duration;

use super::client_settings::{ClientSettings, SetupError};
use super::transport::TransportKind;
use crate::protocol::webim;
use crate::tls::{self, HttpClient, HttpError, Pin};

/// Maximum size of an answer, in bytes: far above a full list of rooms, or a hundred full messages.
pub(super) const ANSWER_LIMIT: usize = 1 << 20;

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
) -> Result<HttpClient, SetupError> {
    const AGENT: &str = concat!("rtckiosk/", env!("CARGO_PKG_VERSION"));
    let tls = settings.trust.client(pins).by(&settings.dialer);
    HttpClient::new(AGENT, &tls, settings.connect_timeout).map_err(SetupError::Http)
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
    Transport(TransportKind, Option<HttpError>),
    TooLarge,
}

impl From<HttpError> for FetchError {
    fn from(error: HttpError) -> Self {
        Self::Transport(TransportKind::of(&error), Some(error))
    }
}

/// Sends the request and reads the answer up to the limit, all before the deadline.
pub(super) async fn fetch(
    http: &HttpClient,
    request: reqwest::RequestBuilder,
    deadline: Duration,
) -> Result<Fetched, FetchError> {
    tokio::time::timeout(deadline, exchange(http, request))
        .await
        .unwrap_or(Err(FetchError::Transport(TransportKind::Timeout, None)))
}

/// Tries again after the time that a server asks for which is asked too often (429, or 503 with
/// `Retry-After`): that is a wait and no failure. The caller's own limit bounds it.
pub(super) async fn fetch_patiently(
    http: &HttpClient,
    request: reqwest::RequestBuilder,
    deadline: Duration,
) -> Result<Fetched, FetchError> {
    let mut next = Some(request);
    for _ in 0..WAITS {
        let Some(request) = next.take() else {
            break;
        };
        next = request.try_clone();
        let fetched = fetch(http, request, deadline).await?;
        let Some(wait) = fetched.retry_after.filter(|_| next.is_some()) else {
            return Ok(fetched);
        };
        // Nobody comes early, and not all come at once.
        let wait = wait.mul_f64(1.0 + rand::random::<f64>() / 4.0);
        log::info!(status = fetched.status, wait:?; "the server asks for a pause");
        tokio::time::sleep(wait).await;
    }
    match next {
        Some(request) => fetch(http, request, deadline).await,
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

async fn exchange(
    http: &HttpClient,
    request: reqwest::RequestBuilder,
) -> Result<Fetched, FetchError> {
    let mut response = http.send(request).await?;
    let here = response.headers().get(webim::HERE_HEADER);
    let messages_here = here.is_some_and(|here| here == webim::HERE);
    let retry_after = retry_after(&response);
    let mut body = Vec::new();
    while let Some(piece) = tls::chunk(&mut response).await? {
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
