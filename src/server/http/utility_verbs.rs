//! The verbs that need no login: an identity to begin with, and URLs to try the relay.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};

use super::app::App;
use super::call::{self, Query};
use super::peer::Peer;
use super::reply::{self, Outcome};
use crate::protocol::answer::{TestAccUrl, TestPushUrl};
use crate::server::auth::AuthError;
use crate::server::gate::TRIAL_USER;
use crate::server::urls::Play;

/// `get_login_info`: signs an identity for anybody that asks, if the server is set up so.
pub(super) async fn login_info(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    reply::response(sign(&app, &Query::parse(query.as_deref())))
}

fn sign(app: &App, query: &Query) -> Outcome {
    let user = query.get("userID").unwrap_or_default();
    if app.im.is_administrator(user) {
        return Err(AuthError::Reserved.into());
    }
    let info = app.auth.login_info(user, app.clock.now())?;
    log::info!(user = info.user_id.as_str(); "signed an identity");
    reply::fields(&info)
}

/// `get_test_pushurl`: a stream to push, and the URLs that play it. Kinds that the relay does not
/// serve are empty.
pub(super) async fn test_push_url(State(app): State<Arc<App>>, request: Request) -> Response {
    let reached = reached(&request);
    with_open_door(&app, || {
        let now = app.clock.now().unix;
        let stream = app.urls.settings().stream_id(TRIAL_USER, rand::random());
        let played = trial(&stream, now);
        let play = app.urls.play_url(played, now, &reached);
        let mixed = app.urls.mixed_url(played, now, &reached);
        let of_kind = |kind: &str| {
            let path = mixed.split('?').next().unwrap_or_default();
            if path.ends_with(kind) {
                mixed.clone()
            } else {
                String::new()
            }
        };
        Json(TestPushUrl {
            url_push: app.urls.push_url(&stream, now, &reached),
            url_play_flv: of_kind(".flv"),
            url_play_rtmp: play.clone(),
            url_play_hls: of_kind(".m3u8"),
            url_play_acc: play,
        })
        .into_response()
    })
}

/// `get_test_rtmpaccurl`: the URL that would play a test clock, if somebody pushes one.
pub(super) async fn test_acc_url(State(app): State<Arc<App>>, request: Request) -> Response {
    let reached = reached(&request);
    with_open_door(&app, || {
        let now = app.clock.now().unix;
        let stream = app.urls.settings().named_stream("testclock_rtmpacc");
        let url_rtmpacc = app.urls.play_url(trial(&stream, now), now, &reached);
        Json(TestAccUrl { url_rtmpacc }).into_response()
    })
}

/// A stream that whoever asks may play.
fn trial(stream: &str, now: u64) -> Play<'_> {
    Play {
        stream,
        viewer: TRIAL_USER,
        added: now,
    }
}

/// Answers only where anybody gets an identity too: test URLs let anybody use the relay.
fn with_open_door(app: &App, answer: impl FnOnce() -> Response) -> Response {
    if app.auth.is_open() {
        answer()
    } else {
        reply::response(Err(AuthError::DoesNotSign.into()))
    }
}

fn reached(request: &Request) -> String {
    let peer = request.extensions().get::<Peer>();
    call::reached(request.headers(), peer.map(|peer| peer.local.ip()))
}
