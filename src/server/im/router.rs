//! The paths of the message service: each request is read within bounds and handed to the side
//! that answers it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};

use super::call::Call;
use super::reply::Failure;
use super::service::Im;
use super::{client, rest};
use crate::protocol::im_rest::{self, ErrorCode};
use crate::protocol::webim::{self, RequestQuery};

/// A command of either side.
#[derive(Debug, Clone, Copy)]
enum AnyCommand {
    Rest(im_rest::RestCommand),
    Client(webim::ImCommand),
}

/// Whether the message service answers at this path. It bounds its requests itself, because
/// it holds some.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with("/v4/") || path.starts_with("/v1/")
}

/// The paths of both sides.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(im: Arc<Im>) -> Router<S> {
    Router::new()
        .route("/v4/{service}/{command}", post(answer))
        .route("/v1/{service}/{command}", post(answer))
        .with_state(im)
}

async fn answer(State(im): State<Arc<Im>>, request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let call = match Call::read(request, im.read_timeout, &im.settings.bodies).await {
        Ok(call) => call,
        Err((status, failure)) => return refused(status, &failure),
    };
    match command(&path, &call.query) {
        Some(AnyCommand::Rest(command)) => Json(rest::answer(&im, command, &call)).into_response(),
        Some(AnyCommand::Client(command)) => {
            let answer = client::answer(&im, command, call);
            Json(answer.await).into_response()
        }
        None => {
            let failure = Failure::new(ErrorCode::BadCommand, "no such command");
            refused(StatusCode::NOT_FOUND, &failure)
        }
    }
}

/// The command at a path. Room servers and members both send group messages: a sender that signs
/// every request is a server.
fn command(path: &str, query: &RequestQuery) -> Option<AnyCommand> {
    let name = path.strip_prefix("v4/group_open_http_svc/");
    let rest = name.and_then(im_rest::RestCommand::from_path);
    let client = webim::ImCommand::from_path(path);
    match (rest, client) {
        (Some(rest), None) => Some(AnyCommand::Rest(rest)),
        (Some(rest), Some(_)) if !query.user_sig.is_empty() => Some(AnyCommand::Rest(rest)),
        (_, client) => client.map(AnyCommand::Client),
    }
}

fn refused(status: StatusCode, failure: &Failure) -> Response {
    (status, Json(failure.answer())).into_response()
}

/// The answer to an address that asks too often.
pub(crate) fn too_many_requests() -> Response {
    let failure = Failure::new(ErrorCode::TooOften, "too many requests");
    let refused = refused(StatusCode::TOO_MANY_REQUESTS, &failure);
    ([(header::RETRY_AFTER, "1")], refused).into_response()
}
