//! The paths of the front door, and the bounds around every request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::app::App;
use super::call::Call;
use super::peer::{Peer, counted_address};
use super::{hooks, reply, utility_verbs, verbs};
use crate::protocol::{RoomType, Verb, excerpt};
use crate::server::im;

/// Path of the questions of relays, who may publish and play; the key follows.
const HOOKS: &str = "/relay/hooks/";

/// Time for which a browser may remember which origins are allowed.
const CORS_MAX_AGE: Duration = Duration::from_secs(3600);

/// All paths of the room protocol and of the message service. Unlike the official server, which
/// reports success for every other path and method, this one says 404 and 405.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route(
            "/weapp/utils/get_login_info",
            get(utility_verbs::login_info),
        )
        .route(
            "/weapp/utils/get_test_pushurl",
            get(utility_verbs::test_push_url),
        )
        .route(
            "/weapp/utils/get_test_rtmpaccurl",
            get(utility_verbs::test_acc_url),
        );
    for kind in RoomType::ALL {
        for verb in Verb::ALL.into_iter().filter(|verb| verb.exists_for(kind)) {
            let path = format!("/weapp/{kind}/{verb}");
            let handler = move |State(app): State<Arc<App>>, call: Call| async move {
                verbs::answer(&app, kind, verb, &call)
            };
            router = router.route(&path, post(handler));
        }
    }
    router
        .route(&format!("{HOOKS}{{key}}"), post(hooks::answer))
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

/// A path as it may be logged.
fn shown(path: &str) -> String {
    match path.starts_with(HOOKS) {
        true => HOOKS.to_owned(),
        false => excerpt(path),
    }
}

/// Surrounds every request with the limit per address, the deadline and the log. Neither the query is
/// logged, which carries tokens, nor the key of the relay's questions.
async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let address = counted_address(&request, &app.http.trusted_proxies);
    let admitted = address.is_none_or(|address| app.by_address.admits(&address));
    let is_im = im::is_path(&path);
    let response = if is_im && admitted {
        let place = request
            .extensions()
            .get::<Peer>()
            .map(|peer| peer.place.clone());
        request
            .extensions_mut()
            .insert(im::Origin { address, place });
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
        method:%, path = shown(&path), status = response.status().as_u16(), address:?,
        ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        "answered"
    );
    response
}
