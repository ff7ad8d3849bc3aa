//! Answers of a room server, told apart from HTML, half a JSON or the success that Node reports
//! for paths it does not know.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::code::Code;
use super::excerpt::{excerpt, harmless};
use super::json;
use super::json::lenient::{self, Lenient, integer, lenient};

/// The fields of a verb's answer beside `code` and `message`.
pub trait Answer: Serialize + DeserializeOwned {
    /// Keys without which the answer cannot be this verb's; those of lists end in `[]`.
    const EXPECTED: &'static [&'static str];
    /// The key without which an entry of a list means nobody and nothing.
    const ID: Option<&'static str> = None;
    /// Whether Java may answer with 200 and no body at all.
    const MAY_BE_EMPTY: bool = false;
    /// Whether the answer has a `code`; those of the two test verbs have none.
    const HAS_CODE: bool = true;
}

/// Declares answers. Fields are tolerant: what is absent, null or of no use gives the default, and
/// an entry of a list that has no id is left out.
macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident expects [$($expected:literal),*] $(, by $id:literal)? $($konst:ident)* {
        $($(#[$attr:meta])* $field:ident: $type:ty),* $(,)?
    })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name {
            $($(#[$attr])* #[serde(deserialize_with = "lenient")] pub $field: $type),*
        }

        impl Answer for $name {
            const EXPECTED: &'static [&'static str] = &[$($expected),*];
            $(const ID: Option<&'static str> = Some($id);)?
            $(answers!(@$konst);)*
        }

        impl Lenient for $name {
            fn read(value: Value) -> Option<Self> {
                entry(value)
            }
        }
    )+};
    (@may_be_empty) => { const MAY_BE_EMPTY: bool = true; };
    (@no_code) => { const HAS_CODE: bool = false; };
}

answers! {
    /// Success of a verb without fields of its own.
    Done expects [] may_be_empty {}

    /// Answer to `utils/get_login_info`.
    LoginInfo expects ["userID", "sdkAppID", "accType", "userSig"] {
        #[serde(rename = "userID")]
        user_id: String,
        #[serde(rename = "sdkAppID")]
        sdk_app_id: u64,
        #[serde(rename = "accType")]
        account_type: String,
        #[serde(rename = "userSig")]
        user_sig: String,
    }

    LoggedIn expects ["token"] {
        #[serde(rename = "userID")]
        user_id: String,
        /// Opaque; may contain `*` and `=`.
        token: String,
        /// Verbs of ours that this server knows besides the documented ones, by their paths.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        features: Vec<String>,
    }

    /// Answer to `call`. `result` is "offered", with a room that is held for the caller, or
    /// "nobody"; others may come.
    Called expects ["result"] {
        result: String,
        #[serde(rename = "roomID")]
        room_id: String,
        #[serde(rename = "roomInfo")]
        room_info: String,
        /// The agent.
        #[serde(rename = "roomCreator")]
        room_creator: String,
        /// Seconds for which the room is held.
        #[serde(rename = "holdSeconds")]
        hold_seconds: u64,
    }

    PushUrl expects ["pushURL"] {
        #[serde(rename = "pushURL")]
        push_url: String,
    }

    CreatedRoom expects ["roomID"] {
        #[serde(rename = "roomID")]
        room_id: String,
    }

    RoomList expects ["rooms[]"] {
        rooms: Vec<Room>,
    }

    /// A room in a list, and the answer to `get_pushers`.
    Room expects ["pushers[]"], by "roomID" {
        #[serde(rename = "roomID")]
        room_id: String,
        #[serde(rename = "roomInfo")]
        room_info: String,
        /// May name a user who has left.
        #[serde(rename = "roomCreator")]
        room_creator: String,
        #[serde(rename = "mixedPlayURL")]
        mixed_play_url: String,
        /// JSON in a string; Java does not send it.
        #[serde(skip_serializing_if = "Option::is_none")]
        custom: Option<String>,
        /// In live rooms only.
        #[serde(rename = "audienceCount", skip_serializing_if = "Option::is_none")]
        audience_count: Option<u32>,
        pushers: Vec<Pusher>,
    }

    /// A member of a room; the list contains the caller too.
    Pusher expects ["userID"], by "userID" {
        #[serde(rename = "userID")]
        user_id: String,
        #[serde(rename = "userName")]
        user_name: String,
        #[serde(rename = "userAvatar")]
        user_avatar: String,
        /// The play URL.
        #[serde(rename = "accelerateURL")]
        accelerate_url: String,
    }

    /// Custom fields, whose key Node and Java name differently.
    CustomInfo expects [] may_be_empty {
        #[serde(alias = "customInfo")]
        custom: Value,
    }

    /// Answer to `merge_stream`. `result` is the mixer's word: code 0 outside does not mean that
    /// streams are mixed.
    Merged expects ["result"] {
        result: Value,
    }

    Audiences expects ["audiences[]"] {
        /// Always 0 from Java.
        #[serde(rename = "audienceCount")]
        audience_count: u32,
        audiences: Vec<Audience>,
    }

    Audience expects ["userID"], by "userID" {
        #[serde(rename = "userID")]
        user_id: String,
        #[serde(rename = "userInfo")]
        user_info: String,
    }

    /// Answer to `utils/get_test_pushurl`.
    TestPushUrl expects ["url_push"] no_code {
        url_push: String,
        url_play_flv: String,
        url_play_rtmp: String,
        url_play_hls: String,
        url_play_acc: String,
    }

    /// Answer to `utils/get_test_rtmpaccurl`.
    TestAccUrl expects ["url_rtmpacc"] no_code {
        url_rtmpacc: String,
    }
}

/// Reasons for which a room server's answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The server understood and refused.
    #[error("the room server answered code {code}: {message}")]
    Refused { code: Code, message: String },
    #[error("the room server answered HTTP {status}: {excerpt}")]
    Http { status: u16, excerpt: String },
    #[error("the room server's answer is empty")]
    Empty,
    #[error("the room server's answer is not JSON ({reason}): {excerpt}")]
    NotJson { reason: String, excerpt: String },
    #[error("the room server's answer has no {0}; is the address right?")]
    Missing(&'static str),
    #[error("the room server's answer has a wrong type: {0}")]
    Wrong(String),
}

/// Reads the answer to a verb.
///
/// # Errors
/// Anything but HTTP 200 with code 0 and the verb's expected keys.
pub fn parse<A: Answer>(status: u16, body: &[u8]) -> Result<A, AnswerError> {
    if status != 200 {
        return Err(AnswerError::Http {
            status,
            excerpt: beginning(body),
        });
    }
    if body.trim_ascii().is_empty() {
        return if A::MAY_BE_EMPTY {
            from_fields(Map::new())
        } else {
            Err(AnswerError::Empty)
        };
    }
    let fields: Map<String, Value> =
        json::parse(body, json::ANSWER_WEIGHT).map_err(|error| AnswerError::NotJson {
            reason: error.to_string(),
            excerpt: beginning(body),
        })?;
    if A::HAS_CODE {
        check_code(&fields)?;
    }
    for key in A::EXPECTED {
        check_expected(&fields, key)?;
    }
    from_fields(fields)
}

fn check_expected(fields: &Map<String, Value>, key: &'static str) -> Result<(), AnswerError> {
    let (name, is_list) = match key.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (key, false),
    };
    let value = fields.get(name).filter(|value| !value.is_null());
    let value = value.ok_or(AnswerError::Missing(name))?;
    if is_list && lenient::items(value.clone()).is_none() {
        let kind = lenient::kind(value);
        return Err(AnswerError::Wrong(format!("{name} is {kind}, not a list")));
    }
    Ok(())
}

/// Reads an entry of a list; `None` without an id.
fn entry<A: Answer>(value: Value) -> Option<A> {
    let value = lenient::object(value)?;
    if let Some(id) = A::ID {
        let id = value.get(id)?;
        let given = match id {
            Value::String(text) => !text.is_empty(),
            other => other.is_number(),
        };
        given.then_some(())?;
    }
    serde_json::from_value(value).ok()
}

fn from_fields<A: Answer>(fields: Map<String, Value>) -> Result<A, AnswerError> {
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| AnswerError::Wrong(json::reason(&error)))
}

fn check_code(fields: &Map<String, Value>) -> Result<(), AnswerError> {
    let code = fields.get("code").ok_or(AnswerError::Missing("code"))?;
    let number = integer(code)
        .ok_or_else(|| AnswerError::Wrong(format!("code is {}", lenient::kind(code))))?;
    if number == 0 {
        // Node's answer to a path it does not know: success, an empty `data` and no message.
        let unknown_path = fields
            .get("data")
            .is_some_and(|data| data == &Value::Object(Map::new()))
            && !fields.contains_key("message");
        return if unknown_path {
            Err(AnswerError::Missing("message"))
        } else {
            Ok(())
        };
    }
    let text = fields.get("message").or_else(|| fields.get("error"));
    Err(AnswerError::Refused {
        code: Code::from_number(number),
        message: excerpt(&lenient::text(text)),
    })
}

/// Says what came in place of an answer: its size, and words at its beginning if they can be no
/// token and no signed URL.
fn beginning(body: &[u8]) -> String {
    let words = harmless(body);
    let size = format!("{} bytes", body.len());
    match words.is_empty() {
        true => size,
        false => format!("{size}, {words:?}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn ok<A: Answer>(body: &Value) -> A {
        parse(200, body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn reads_both_servers() {
        let node: LoginInfo = ok(&json!({"code":0,"message":"请求成功","userID":"u",
            "sdkAppID":1_400_000_001,"accType":"12345","userSig":"eJ"}));
        let java: LoginInfo = ok(&json!({"code":"0","message":"","userID":"u",
            "sdkAppID":"1400000001","accType":12345,"userSig":"eJ"}));
        assert_eq!(node, java);
        let node: CustomInfo = ok(&json!({"code":0,"message":"","custom":"{\"like\":3}"}));
        let java: CustomInfo = ok(&json!({"code":0,"message":"","customInfo":"{\"like\":3}"}));
        assert_eq!(node, java);
        let room: Room = ok(&json!({"code":0,"message":"","roomID":"r","custom":"{}",
            "roomCreator":null,"pushers":[{"userID":"a","code":0,"message":""}]}));
        assert_eq!(
            (room.room_creator.as_str(), room.pushers[0].user_id.as_str()),
            ("", "a")
        );
        let url: TestAccUrl = ok(&json!({"url_rtmpacc":"rtmp://x"}));
        assert_eq!(url.url_rtmpacc, "rtmp://x");
    }

    #[test]
    fn an_empty_body_is_success_only_where_java_sends_one() {
        assert!(parse::<CustomInfo>(200, b"").is_ok());
        assert_eq!(parse::<Room>(200, b" \n"), Err(AnswerError::Empty));
    }

    #[test]
    fn the_success_of_an_unknown_path_is_none() {
        let body = br#"{"code":0,"data":{}}"#;
        assert_eq!(
            parse::<Done>(200, body),
            Err(AnswerError::Missing("message"))
        );
        assert_eq!(
            parse::<PushUrl>(200, body),
            Err(AnswerError::Missing("message"))
        );
        assert_eq!(
            parse::<Done>(200, br#"{"code":0,"message":"x"}"#),
            Ok(Done {})
        );
    }

    #[test]
    fn names_what_is_wrong() {
        let refused = parse::<Done>(200, br#"{"code":-1,"error":"boom"}"#).unwrap_err();
        assert_eq!(
            refused,
            AnswerError::Refused {
                code: Code::Exception,
                message: "boom".into()
            }
        );
        let html = parse::<Done>(200, b"<html>\n<body>").unwrap_err();
        assert!(matches!(html, AnswerError::NotJson { excerpt, .. } if excerpt == "13 bytes"));
        let notice = "<br />\nNotice: {\"code\":0,\"token\":\"secret\"}";
        let wrong = parse::<LoggedIn>(200, notice.as_bytes()).unwrap_err();
        assert!(!wrong.to_string().contains("secret"), "{wrong}");
        let half = parse::<LoggedIn>(200, br#"{"code":0,"token":"secret"#).unwrap_err();
        assert!(!half.to_string().contains("secret"), "{half}");
        let huge = format!(
            r#"{{"code":0,"message":"","rooms":"{}"}}"#,
            "x".repeat(100_000)
        );
        let wrong = parse::<RoomList>(200, huge.as_bytes()).unwrap_err();
        assert!(wrong.to_string().len() < 300, "{wrong}");
        assert!(matches!(
            parse::<Done>(200, b"[1]"),
            Err(AnswerError::NotJson { .. })
        ));
        assert!(matches!(
            parse::<Done>(502, b"x"),
            Err(AnswerError::Http { status: 502, .. })
        ));
        assert_eq!(parse::<Done>(200, b"{}"), Err(AnswerError::Missing("code")));
        let wrong = parse::<RoomList>(200, br#"{"code":0,"message":"","rooms":7}"#);
        assert!(matches!(wrong, Err(AnswerError::Wrong(_))));
        let none = parse::<LoggedIn>(200, br#"{"code":0,"message":"","token":null}"#);
        assert_eq!(none, Err(AnswerError::Missing("token")));
    }

    proptest! {
        #[test]
        fn never_panics(status in 100_u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse::<Room>(status, &body);
            let _ = parse::<LoginInfo>(200, &body);
        }
    }
}
