//! The questions of an external relay: nginx with its RTMP module asks by forms, SRS by JSON. The key in the path
//! is the relay's; whoever has it not gets no answer.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::app::App;
use super::body;
use super::peer::{Peer, header_text};
use crate::config::server::HookKey;
use crate::server::relay::{Attempt, ExternalClients};

/// Longest question in bytes: a URL and some names.
const MAX_BODY: usize = 16 * 1024;

/// The answering side of a relay's questions.
#[derive(Debug)]
pub(crate) struct RelayHooks {
    pub(crate) key: HookKey,
    pub(crate) clients: Arc<ExternalClients>,
}

/// Answers one question: 200 and `0` let the client in.
pub(super) async fn answer(
    State(app): State<Arc<App>>,
    Path(key): Path<String>,
    request: Request,
) -> Response {
    let Some(hooks) = app.hooks.as_ref().filter(|hooks| hooks.key.is(&key)) else {
        return (StatusCode::NOT_FOUND, "no such path").into_response();
    };
    let (head, body) = request.into_parts();
    if let Some(peer) = head.extensions.get::<Peer>() {
        peer.place.prove("(relay)");
    }
    let Ok(bytes) = axum::body::to_bytes(body, MAX_BODY).await else {
        return (
            StatusCode::BAD_REQUEST,
            "the body broke off, or is too long",
        )
            .into_response();
    };
    let kind = header_text(&head.headers, header::CONTENT_TYPE);
    let Ok(Value::Object(fields)) = body::parse(kind, &bytes) else {
        return (
            StatusCode::BAD_REQUEST,
            "the body is neither a form nor JSON",
        )
            .into_response();
    };
    match decide(&hooks.clients, &fields) {
        Ok(()) => "0".into_response(),
        Err(reason) => {
            log::warn!(stream = text(&fields, "name", "stream"), reason; "a client of the relay is refused");
            (StatusCode::FORBIDDEN, "1").into_response()
        }
    }
}

/// A field under nginx's name or that of SRS.
fn text(fields: &Map<String, Value>, nginx: &str, srs: &str) -> String {
    let value = fields.get(nginx).or_else(|| fields.get(srs));
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn decide(clients: &ExternalClients, fields: &Map<String, Value>) -> Result<(), String> {
    let attempt = Attempt {
        client: text(fields, "clientid", "client_id"),
        app: text(fields, "app", "app"),
        stream: text(fields, "name", "stream"),
        query: query(fields),
    };
    if attempt.client.is_empty() {
        return Err("the question names no client".to_owned());
    }
    match text(fields, "call", "action").as_str() {
        "publish" | "on_publish" => clients.publish(attempt),
        "play" | "on_play" => clients.play(attempt),
        "play_done" | "publish_done" | "done" | "on_stop" | "on_unpublish" | "on_close" => {
            clients.left(&attempt.client);
            Ok(())
        }
        // Others are only told, and nothing hangs on the answer.
        _ => Ok(()),
    }
}

/// The query of the stream URL: SRS gives it whole, nginx adds its parts to the form.
fn query(fields: &Map<String, Value>) -> String {
    if let Some(Value::String(param)) = fields.get("param") {
        return param.trim_start_matches('?').to_owned();
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for key in ["viewer", "txSecret", "txTime"] {
        if let Some(Value::String(value)) = fields.get(key) {
            query.append_pair(key, value);
        }
    }
    query.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_dialects_name_the_stream_and_its_query() {
        let nginx = json!({"call":"play","addr":"1.2.3.4","clientid":"7","app":"live","name":"s",
            "txSecret":"ab","txTime":"65","viewer":"Bob & Ann","flashver":"x"});
        let srs = json!({"action":"on_play","client_id":"c7","ip":"1.2.3.4","vhost":"v","app":"live",
            "stream":"s","param":"?viewer=Bob+%26+Ann&txSecret=ab&txTime=65"});
        for (fields, client) in [(nginx, "7"), (srs, "c7")] {
            let fields = fields.as_object().unwrap();
            assert_eq!(query(fields), "viewer=Bob+%26+Ann&txSecret=ab&txTime=65");
            assert_eq!(text(fields, "name", "stream"), "s");
            assert_eq!(text(fields, "clientid", "client_id"), client);
        }
    }
}
