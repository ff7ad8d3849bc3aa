//! One request to the message service, read within bounds.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::reply::Failure;
use crate::protocol::im_rest::{self, ErrorCode, RestBodyError};
use crate::protocol::webim::RequestQuery;
use crate::server::budget::Budget;
use crate::server::places::Place;

/// Longest body in bytes: a message of the greatest length in its longest JSON.
const MAX_BODY: usize = 64 * 1024;

/// Bytes that every body may have, whatever others send.
const SMALL_BODY: usize = 4 * 1024;

/// The address that a request is counted for, and the place of its connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub(crate) address: Option<IpAddr>,
    pub(crate) place: Option<Arc<Place>>,
}

impl Origin {
    /// Notes that the connection is this user's.
    pub(super) fn prove(&self, user: &str) {
        if let Some(place) = &self.place {
            place.prove(user);
        }
    }
}

/// A request, read.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) query: RequestQuery,
    pub(super) body: Result<Value, RestBodyError>,
    pub(super) origin: Origin,
}

impl Call {
    /// Reads a request; its body must come within `timeout`.
    pub(super) async fn read(
        request: Request,
        timeout: Duration,
        bodies: &Budget,
    ) -> Result<Self, (StatusCode, Failure)> {
        let (head, body) = request.into_parts();
        let content_type = head.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let announced = body
            .size_hint()
            .upper()
            .and_then(|bytes| usize::try_from(bytes).ok());
        let expected = announced.unwrap_or(MAX_BODY).min(MAX_BODY);
        let Some(_share) = bodies.take(expected.saturating_sub(SMALL_BODY)) else {
            let failure = Failure::new(
                ErrorCode::TooOften,
                "too many long requests are on their way",
            );
            return Err((StatusCode::SERVICE_UNAVAILABLE, failure));
        };
        let bytes = axum::body::to_bytes(body, MAX_BODY);
        let bytes = match tokio::time::timeout(timeout, bytes).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => {
                let info = format!("the body broke off, or has more than {MAX_BODY} bytes");
                let failure = Failure::new(ErrorCode::BadParameter, info);
                return Err((StatusCode::BAD_REQUEST, failure));
            }
            Err(_) => {
                let failure = Failure::new(ErrorCode::BadParameter, "the request took too long");
                return Err((StatusCode::REQUEST_TIMEOUT, failure));
            }
        };
        let origin = head.extensions.get::<Origin>();
        Ok(Self {
            query: RequestQuery::parse(head.uri.query().unwrap_or_default()),
            body: im_rest::body(content_type, &bytes),
            origin: origin.cloned().unwrap_or_default(),
        })
    }

    /// The body as one command has it; what is missing in it counts as empty.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_value(self.body.clone()?)
            .map_err(|error| Failure::new(ErrorCode::BadParameter, format!("the body: {error}")))
    }
}
