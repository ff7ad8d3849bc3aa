//! One request, read: its query, its body, and the name by which it reached us.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use http_body_util::LengthLimitError;
use serde_json::Value;

use super::app::App;
use super::body::BodyError;
use super::peer::{Peer, header_text};
use super::{body, reply};
use crate::server::places::Place;

/// Bytes that every body may have, whatever others send: those of all usual requests.
const SMALL_BODY: usize = 4 * 1024;

/// A request of the room protocol.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) query: Query,
    pub(super) body: Result<Value, BodyError>,
    /// The host by which the client reached this server.
    pub(super) reached: String,
    place: Option<Arc<Place>>,
}

impl Call {
    /// Notes that the connection is this user's.
    pub(super) fn prove(&self, user: &str) {
        if let Some(place) = &self.place {
            place.prove(user);
        }
    }
}

/// Query parameters; the Win client sends them without percent-encoding.
#[derive(Default)]
pub(super) struct Query(Vec<(String, String)>);

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be tokens.
        let keys = self.0.iter().map(|(key, _)| key);
        f.debug_list().entries(keys).finish()
    }
}

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The value of a parameter, unless it is absent or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let (_, value) = pairs.find(|(key, _)| key == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }
}

impl FromRequest<Arc<App>> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (head, body) = request.into_parts();
        let query = Query::parse(head.uri.query());
        let peer = head.extensions.get::<Peer>();
        let local = peer.map(|peer| peer.local.ip());
        let place = peer.map(|peer| peer.place.clone());
        let reached = reached(&head.headers, local);
        let limit = app.http.max_body;
        // Announced lengths are refused without waiting for the rest.
        if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(too_long(limit));
        }
        let announced = body
            .size_hint()
            .upper()
            .and_then(|bytes| usize::try_from(bytes).ok());
        let expected = announced.unwrap_or(limit);
        let share = app.http.bodies.take(expected.saturating_sub(SMALL_BODY));
        let Some(_share) = share else {
            return Err(reply::busy());
        };
        let body = axum::body::to_bytes(body, limit).await.map_err(|error| {
            if error.into_inner().is::<LengthLimitError>() {
                too_long(limit)
            } else {
                reply::http_error(StatusCode::BAD_REQUEST, "the body broke off")
            }
        })?;
        let body = body::parse(header_text(&head.headers, header::CONTENT_TYPE), &body);
        if let Err(BodyError::TooLong(limit)) = body {
            return Err(too_long(limit));
        }
        Ok(Self {
            query,
            body,
            reached,
            place,
        })
    }
}

fn too_long(limit: usize) -> Response {
    let message = BodyError::TooLong(limit).to_string();
    reply::http_error(StatusCode::PAYLOAD_TOO_LARGE, &message)
}

/// The host of the `Host` header without its port; if it is no host, the address that the
/// client connected to.
pub(crate) fn reached(headers: &HeaderMap, local: Option<IpAddr>) -> String {
    let named = header_text(headers, header::HOST).and_then(host_only);
    named.unwrap_or_else(|| match local.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V6(v6)) => format!("[{v6}]"),
        Some(IpAddr::V4(v4)) => v4.to_string(),
        None => "127.0.0.1".to_owned(),
    })
}

fn host_only(header: &str) -> Option<String> {
    if header.contains(['/', '\\', '?', '#', '@']) {
        return None;
    }
    let url = url::Url::parse(&format!("http://{header}/")).ok()?;
    url.host_str().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_queries_with_and_without_encoding() {
        let query = Query::parse(Some("userID=a%2Fb&token=9f*53724e01*MTI=&x=&token=2"));
        assert_eq!(query.get("userID"), Some("a/b"));
        assert_eq!(query.get("token"), Some("9f*53724e01*MTI="));
        assert_eq!(query.get("x"), None);
        assert_eq!(query.get("y"), None);
        assert!(!format!("{query:?}").contains("9f"));
    }

    #[test]
    fn takes_the_host_that_the_client_used() {
        let local = Some("10.0.0.1".parse().unwrap());
        let by = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            reached(&headers, local)
        };
        assert_eq!(by("rooms.example.com:5757"), "rooms.example.com");
        assert_eq!(by("[::1]:5757"), "[::1]");
        assert_eq!(by("10.1.2.3"), "10.1.2.3");
        for nonsense in ["", "a/b", "a b", "u@h", "h?x", "h#x"] {
            assert_eq!(by(nonsense), "10.0.0.1", "{nonsense}");
        }
        let local = Some("fe80::1".parse().unwrap());
        assert_eq!(reached(&HeaderMap::new(), local), "[fe80::1]");
    }
}
