//! Request bodies in all the content types that clients are known to send.

use serde_json::{Map, Value};

use crate::protocol::json;

/// Longest urlencoded body in bytes, as on the official Node server.
const URLENCODED_LIMIT: usize = 56 * 1024;

/// The reason for which a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is not JSON that can be read: {0}")]
    NotJson(String),
    #[error("the body must be a JSON object or array")]
    NotObject,
    #[error("the body has more than {0} bytes")]
    TooLong(usize),
}

/// The ways to read a body.
enum Kind {
    Json,
    UrlEncoded,
    Other,
}

fn kind(content_type: Option<&str>) -> Kind {
    let essence = content_type.unwrap_or_default().split(';').next();
    match essence.unwrap_or_default().trim().to_ascii_lowercase() {
        // A fault of WeChat makes the mini-program say text/xml for JSON.
        essence
            if [
                "application/json",
                "application/json-patch+json",
                "application/vnd.api+json",
                "application/csp-report",
                "text/xml",
            ]
            .contains(&essence.as_str()) =>
        {
            Kind::Json
        }
        essence if essence == "application/x-www-form-urlencoded" => Kind::UrlEncoded,
        _ => Kind::Other,
    }
}

/// Reads a body; none, or one of a type that nobody needs, is an empty object.
pub(crate) fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Value, BodyError> {
    let nothing = Value::Object(Map::new());
    match kind(content_type) {
        _ if body.trim_ascii().is_empty() => Ok(nothing),
        Kind::Json => match json::parse(body, json::REQUEST_WEIGHT) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(value),
            Ok(_) => Err(BodyError::NotObject),
            Err(error) => Err(BodyError::NotJson(error.to_string())),
        },
        Kind::UrlEncoded if body.len() > URLENCODED_LIMIT => {
            Err(BodyError::TooLong(URLENCODED_LIMIT))
        }
        Kind::UrlEncoded => Ok(url::form_urlencoded::parse(body)
            .map(|(key, value)| (key.into_owned(), Value::String(value.into_owned())))
            .collect::<Map<_, _>>()
            .into()),
        Kind::Other => Ok(nothing),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_by_content_type_as_node_does() {
        let json = br#"{"a":1}"#;
        for (content_type, body, expected) in [
            (Some("application/json"), &json[..], json!({"a":1})),
            (
                Some("Application/JSON; charset=utf-8"),
                json,
                json!({"a":1}),
            ),
            (Some("application/json-patch+json"), json, json!({"a":1})),
            (Some("application/vnd.api+json"), json, json!({"a":1})),
            (Some("application/csp-report"), json, json!({"a":1})),
            (Some("text/xml"), json, json!({"a":1})),
            (Some("text/plain"), json, json!({})),
            (None, json, json!({})),
            (Some("application/json"), b"", json!({})),
            (Some("application/json"), b"[1]", json!([1])),
            (
                Some("application/x-www-form-urlencoded; charset=UTF-8"),
                b"cnt=20&a=x%20y",
                json!({"cnt":"20","a":"x y"}),
            ),
        ] {
            assert_eq!(parse(content_type, body), Ok(expected), "{content_type:?}");
        }
    }

    #[test]
    fn takes_text_that_is_not_quite_json() {
        let gbk = b"{\"userName\":\"\xb9\xf1\xd4\xb1\"}";
        for (body, name) in [
            (&br#"{"userName":"Anna \ud83d"}"#[..], "Anna \u{fffd}"),
            (b"\xef\xbb\xbf{\"userName\":\"Anna\"}", "Anna"),
            (gbk, "柜员"),
            (b"{\"userName\":\"An\tna\"}", "An\tna"),
        ] {
            let read = parse(Some("application/json"), body);
            assert_eq!(read, Ok(json!({ "userName": name })), "{body:?}");
        }
    }

    #[test]
    fn refuses_what_is_not_json_or_too_long() {
        let json = Some("application/json");
        assert!(matches!(parse(json, b"{"), Err(BodyError::NotJson(_))));
        assert!(matches!(parse(json, b"\xff"), Err(BodyError::NotJson(_))));
        assert_eq!(parse(json, b"7"), Err(BodyError::NotObject));
        // A megabyte of tiny objects would become a hundred.
        let heavy = format!("[{}{{}}]", r#"{"":0},"#.repeat(100_000));
        assert!(matches!(
            parse(json, heavy.as_bytes()),
            Err(BodyError::NotJson(_))
        ));
        // Nesting must not overflow the stack.
        let deep = [b'['; 100_000];
        assert!(matches!(parse(json, &deep), Err(BodyError::NotJson(_))));
        let long = vec![b'a'; URLENCODED_LIMIT + 1];
        assert_eq!(
            parse(Some("application/x-www-form-urlencoded"), &long),
            Err(BodyError::TooLong(URLENCODED_LIMIT))
        );
    }
}
