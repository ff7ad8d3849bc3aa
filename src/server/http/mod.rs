//! The front door: the RTCRoom protocol over HTTP/1.1.
//!
//! `serve` accepts and bounds connections, this file routes and bounds requests, `call` reads
//! one, `verbs` and `utils` do what it asks, `reply` writes the answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::auth::Auth;
use super::clock::Clock;
use super::im::{self, Im};
use super::rooms::Rooms;
use super::urls::StreamUrls;
use crate::protocol::{RoomType, Verb};
use crate::tls::ServerTls;

mod body;
mod call;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod limits;
mod live;
mod patient;
mod reply;
pub(super) mod serve;
#[cfg(test)]
mod tests;
mod utils;
mod verbs;

pub(super) use limits::Limiter;
pub use limits::Rate;

/// How long a browser may remember which origins are allowed.
const CORS_MAX_AGE: Duration = Duration::from_secs(3600);

/// Bounds of the front door.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    pub listen: SocketAddr,
    /// HTTPS; `None` = plain HTTP.
    pub tls: Option<ServerTls>,
    /// Web origins that may call; `None` = all.
    pub cors_origins: Option<Vec<String>>,
    /// Longest request body in bytes.
    pub max_body: usize,
    /// From the end of a request's head to the answer, and for a client to take a piece of it.
    pub request_timeout: Duration,
    /// For a request's head, and for the pause before it on a connection kept open.
    pub header_timeout: Duration,
    /// A connection is closed after this time, between two requests.
    pub max_connection_age: Duration,
    pub max_connections: usize,
    /// What open requests get to finish when the server stops.
    pub shutdown_timeout: Duration,
    pub per_address: Rate,
    pub per_user: Rate,
}

/// Everything that a request may need.
#[derive(Debug)]
pub(super) struct App {
    pub(super) rooms: Arc<Rooms>,
    pub(super) auth: Arc<Auth>,
    pub(super) im: Arc<Im>,
    pub(super) urls: StreamUrls,
    pub(super) clock: Clock,
    http: HttpSettings,
    by_address: Limiter<IpAddr>,
    by_user: Limiter<String>,
}

/// Both ends of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
struct Peer {
    remote: SocketAddr,
    local: SocketAddr,
}

impl App {
    pub(super) fn new(
        rooms: Arc<Rooms>,
        auth: Arc<Auth>,
        im: Arc<Im>,
        urls: StreamUrls,
        clock: Clock,
        http: HttpSettings,
    ) -> Self {
        Self {
            by_address: Limiter::new(http.per_address),
            by_user: Limiter::new(http.per_user),
            rooms,
            auth,
            im,
            urls,
            clock,
            http,
        }
    }

    /// Frees memory of who has been quiet; to be called every few seconds.
    pub(super) fn tidy(&self) {
        self.by_address.tidy();
        self.by_user.tidy();
        self.im.tidy();
    }
}

/// All paths of the room protocol and of the message service. Unlike the official server, which reports success for every
/// other path and method, this one says 404 and 405.
pub(super) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route("/weapp/utils/get_login_info", get(utils::login_info))
        .route("/weapp/utils/get_test_pushurl", get(utils::test_push_url))
        .route("/weapp/utils/get_test_rtmpaccurl", get(utils::test_acc_url));
    for kind in RoomType::ALL {
        for verb in Verb::ALL.into_iter().filter(|verb| verb.exists_for(kind)) {
            let path = format!("/weapp/{kind}/{verb}");
            let handler = move |State(app): State<Arc<App>>, call: call::Call| async move {
                verbs::answer(&app, kind, verb, &call)
            };
            router = router.route(&path, post(handler));
        }
    }
    router
        .merge(im::router(app.im.clone()))
        .method_not_allowed_fallback(|| async {
            reply::http_error(StatusCode::METHOD_NOT_ALLOWED, "wrong method for this path")
        })
        .fallback(|| async { reply::http_error(StatusCode::NOT_FOUND, "no such path") })
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .layer(cors(app.http.cors_origins.as_deref()))
        .with_state(app)
}

fn cors(origins: Option<&[String]>) -> CorsLayer {
    let allowed = origins.map(|origins| {
        let origins = origins.iter();
        origins
            .filter_map(|origin| HeaderValue::from_str(origin).ok())
            .collect::<Vec<_>>()
    });
    CorsLayer::new()
        .allow_origin(allowed.map_or_else(AllowOrigin::mirror_request, AllowOrigin::list))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .max_age(CORS_MAX_AGE)
}

/// Around every request: the limit per address, the deadline and the log. The query is never
/// logged, because it carries tokens.
async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let address = client(&request);
    let admitted = address.is_none_or(|address| app.by_address.admits(&address));
    let is_im = im::is_path(&path);
    let response = if is_im && admitted {
        request.extensions_mut().insert(im::ClientAddress(address));
        next.run(request).await
    } else if is_im {
        im::too_many_requests()
    } else if admitted {
        let answer = tokio::time::timeout(app.http.request_timeout, next.run(request));
        answer.await.unwrap_or_else(|_| {
            reply::http_error(StatusCode::REQUEST_TIMEOUT, "the request took too long")
        })
    } else {
        reply::too_many_requests()
    };
    log::debug!(
        method:%, path, status = response.status().as_u16(), address:?,
        ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        "answered"
    );
    response
}

/// The address that is counted for a request.
fn client(request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>()?.remote.ip();
    let forwarded = text(request.headers(), "x-forwarded-for");
    Some(limits::address_key(limits::client_address(peer, forwarded)))
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
