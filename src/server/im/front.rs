//! The front door of the message service: reads a request within bounds and hands it to who
//! answers it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;

use super::reply::Failure;
use super::{Im, client, rest};
use crate::protocol::im_rest::{self, ErrorCode, RestBodyError};
use crate::protocol::webim::{self, RequestQuery};

/// Longest body in bytes: a message of the greatest length in its longest JSON.
const MAX_BODY: usize = 64 * 1024;

/// The address that a request is counted for.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct ClientAddress(pub(in crate::server) Option<IpAddr>);

/// A request, read.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) query: RequestQuery,
    pub(super) body: Result<Value, RestBodyError>,
    pub(super) address: Option<IpAddr>,
}

/// What is asked, and by whom.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Rest(im_rest::RestCommand),
    Client(webim::ImCommand),
}

/// Whether the message service answers at this path. It bounds its requests itself, because
/// it holds some.
pub(in crate::server) fn is_path(path: &str) -> bool {
    path.starts_with("/v4/") || path.starts_with("/v1/")
}

/// The paths of both sides.
pub(in crate::server) fn router<S: Clone + Send + Sync + 'static>(im: Arc<Im>) -> Router<S> {
    Router::new()
        .route("/v4/{service}/{command}", post(answer))
        .route("/v1/{service}/{command}", post(answer))
        .with_state(im)
}

async fn answer(State(im): State<Arc<Im>>, request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let call = match read(&im, request).await {
        Ok(call) => call,
        Err(refused) => return refused,
    };
    match asked(&path, &call.query) {
        Some(Asked::Rest(command)) => Json(rest::answer(&im, command, &call)).into_response(),
        Some(Asked::Client(command)) => {
            let answer = client::answer(&im, command, call);
            Json(answer.await).into_response()
        }
        None => {
            let failure = Failure::new(ErrorCode::BadCommand, "no such command");
            refused(StatusCode::NOT_FOUND, &failure)
        }
    }
}

/// Room servers and members both send group messages: who signs every request is a server.
fn asked(path: &str, query: &RequestQuery) -> Option<Asked> {
    let command = path.strip_prefix("v4/group_open_http_svc/");
    let rest = command.and_then(im_rest::RestCommand::from_path);
    let client = webim::ImCommand::from_path(path);
    match (rest, client) {
        (Some(rest), None) => Some(Asked::Rest(rest)),
        (Some(rest), Some(_)) if !query.user_sig.is_empty() => Some(Asked::Rest(rest)),
        (_, client) => client.map(Asked::Client),
    }
}

async fn read(im: &Im, request: Request) -> Result<Call, Response> {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let bytes = axum::body::to_bytes(body, MAX_BODY);
    let bytes = match tokio::time::timeout(im.read_timeout, bytes).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let info = format!("the body broke off, or has more than {MAX_BODY} bytes");
            let failure = Failure::new(ErrorCode::BadParameter, info);
            return Err(refused(StatusCode::BAD_REQUEST, &failure));
        }
        Err(_) => {
            let failure = Failure::new(ErrorCode::BadParameter, "the request took too long");
            return Err(refused(StatusCode::REQUEST_TIMEOUT, &failure));
        }
    };
    let address = head.extensions.get::<ClientAddress>();
    Ok(Call {
        query: RequestQuery::parse(head.uri.query().unwrap_or_default()),
        body: im_rest::body(content_type, &bytes),
        address: address.and_then(|address| address.0),
    })
}

fn refused(status: StatusCode, failure: &Failure) -> Response {
    (status, Json(failure.answer())).into_response()
}

/// The answer to an address that asks too often.
pub(in crate::server) fn too_many_requests() -> Response {
    let failure = Failure::new(ErrorCode::TooOften, "too many requests");
    let mut response = refused(StatusCode::TOO_MANY_REQUESTS, &failure);
    let retry_after = HeaderValue::from_static("1");
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, retry_after);
    response
}
