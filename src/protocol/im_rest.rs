//! The REST side of the message service: the commands that a room server gives as the
//! administrator, and the error numbers of both sides.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::json::lenient::lenient;
use super::{json, webim};

/// The only type of group that rooms use.
pub const BIG_GROUP: &str = "AVChatRoom";

/// Content of the system message that tells members to read the member list again.
pub const NOTIFY_PUSHER_CHANGE: &str = r#"{"cmd":"notifyPusherChange","data":""}"#;

/// A REST command, posted to `/v4/group_open_http_svc/{command}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestCommand {
    CreateGroup,
    DestroyGroup,
    SendGroupSystemNotification,
    SendGroupMsg,
}

impl RestCommand {
    pub const ALL: [Self; 4] = [
        Self::CreateGroup,
        Self::DestroyGroup,
        Self::SendGroupSystemNotification,
        Self::SendGroupMsg,
    ];

    /// The path segment that names the command.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::CreateGroup => "create_group",
            Self::DestroyGroup => "destroy_group",
            Self::SendGroupSystemNotification => "send_group_system_notification",
            Self::SendGroupMsg => "send_group_msg",
        }
    }

    #[must_use]
    pub fn from_path(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.path() == segment)
    }
}

/// An `ErrorCode` of the message service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// 10002.
    Internal,
    /// 10003.
    BadCommand,
    /// 10004.
    BadParameter,
    /// 10007.
    NoPermission,
    /// 10010.
    NoSuchGroup,
    /// 10015.
    BadGroupId,
    /// 10021: the id belongs to somebody else.
    GroupIdTaken,
    /// 10023.
    TooOften,
    /// 10025: the id is taken, by the caller.
    GroupIdYours,
    /// 20003.
    NoSuchUser,
    /// 60010.
    AdministratorNeeded,
    /// 70001: the userSig, or the login that it opened, is over.
    Expired,
    /// 70009.
    BadSignature,
    /// 70013: the userSig is for another user.
    OtherUser,
    /// 70020.
    UnknownApp,
    /// 80002.
    MessageTooLong,
    /// 91101: the same user logged in elsewhere.
    Kicked,
}

impl ErrorCode {
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Internal => webim::ERR_INTERNAL,
            Self::BadCommand => 10003,
            Self::BadParameter => webim::ERR_PARAMETER,
            Self::NoPermission => webim::ERR_PERMISSION,
            Self::NoSuchGroup => webim::ERR_NO_GROUP,
            Self::BadGroupId => webim::ERR_BAD_GROUP,
            Self::GroupIdTaken => 10021,
            Self::TooOften => 10023,
            Self::GroupIdYours => 10025,
            Self::NoSuchUser => 20003,
            Self::AdministratorNeeded => 60010,
            Self::Expired => 70001,
            Self::BadSignature => webim::ERR_BAD_SIG,
            Self::OtherUser => 70013,
            Self::UnknownApp => webim::ERR_UNKNOWN_APP,
            Self::MessageTooLong => 80002,
            Self::Kicked => webim::ERR_REPLACED,
        }
    }
}

/// Body of `create_group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateGroup {
    #[serde(rename = "Owner_Account", default, deserialize_with = "lenient")]
    pub owner: String,
    /// [`BIG_GROUP`] for rooms.
    #[serde(rename = "Type", deserialize_with = "lenient")]
    pub kind: String,
    #[serde(rename = "GroupId", deserialize_with = "lenient")]
    pub group_id: String,
    #[serde(rename = "Name", default, deserialize_with = "lenient")]
    pub name: String,
}

/// Body of `destroy_group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestroyGroup {
    #[serde(rename = "GroupId", deserialize_with = "lenient")]
    pub group_id: String,
}

/// Body of `send_group_system_notification`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendGroupSystemNotification {
    #[serde(rename = "GroupId", deserialize_with = "lenient")]
    pub group_id: String,
    /// The members' `UserDefinedField`; rooms put JSON into it.
    #[serde(rename = "Content", deserialize_with = "lenient")]
    pub content: String,
}

/// The reason for which a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a JSON object: {0}")]
pub struct RestBodyError(String);

/// Reads a body as JSON whatever its content type: Node's server calls its JSON urlencoded, and
/// encodes nothing but `! ' ( ) *` in it. An absent body counts as an empty object.
///
/// # Errors
/// A body that is not a JSON object.
pub fn body(content_type: Option<&str>, bytes: &[u8]) -> Result<Value, RestBodyError> {
    if bytes.trim_ascii().is_empty() {
        return Ok(json!({}));
    }
    let essence = content_type.unwrap_or_default().split(';').next();
    let is_form = essence
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let parsed = if is_form {
        json::parse(&without_percent(bytes), json::REQUEST_WEIGHT)
    } else {
        json::parse(bytes, json::REQUEST_WEIGHT)
    };
    match parsed {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(RestBodyError("it is another value".to_owned())),
        Err(error) => Err(RestBodyError(error.to_string())),
    }
}

/// Undoes the percent-encoding of `! ' ( ) *`; none of them means anything in JSON.
fn without_percent(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        let character = match after {
            [b'2', low, ..] if byte == b'%' => match low.to_ascii_uppercase() {
                b'1' => Some(b'!'),
                b'7' => Some(b'\''),
                b'8' => Some(b'('),
                b'9' => Some(b')'),
                b'A' => Some(b'*'),
                _ => None,
            },
            _ => None,
        };
        plain.push(character.unwrap_or(byte));
        rest = if character.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NODE: Option<&str> = Some("application/x-www-form-urlencoded");

    #[test]
    fn paths_map_both_ways() {
        for command in RestCommand::ALL {
            assert_eq!(RestCommand::from_path(command.path()), Some(command));
        }
        assert_eq!(RestCommand::from_path("login"), None);
    }

    #[test]
    fn reads_both_official_servers() {
        let json = br#"{"GroupId":"it's 100% (a*b)!","Content":"{\"cmd\":\"x\"}"}"#;
        let read = |kind, bytes: &[u8]| {
            let value = body(kind, bytes).unwrap();
            serde_json::from_value::<SendGroupSystemNotification>(value).unwrap()
        };
        let java = read(Some("application/json;charset=UTF-8"), json);
        assert_eq!(java.group_id, "it's 100% (a*b)!");
        assert_eq!(java.content, r#"{"cmd":"x"}"#);
        let encoded = br#"{"GroupId":"it%27s 100% %28a%2ab%29%21","Content":"{\"cmd\":\"x\"}"}"#;
        assert_eq!(read(NODE, encoded), java);
        assert_eq!(read(NODE, json), java);
        // What nobody encoded stays as it is.
        assert_eq!(body(None, br#"{"a":"%21"}"#).unwrap(), json!({"a": "%21"}));
        assert_eq!(
            body(NODE, br#"{"a":"%25 %2 %"}"#).unwrap(),
            json!({"a": "%25 %2 %"})
        );
    }

    #[test]
    fn refuses_what_is_no_object() {
        assert_eq!(body(None, b" \n"), Ok(json!({})));
        for bad in [&b"[]"[..], b"7", b"{", b"a=b", b"\xff", &[b'['; 100_000]] {
            assert!(body(None, bad).is_err());
            assert!(body(NODE, bad).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>(), form in any::<bool>()) {
            let _ = body(form.then_some("application/x-www-form-urlencoded"), &bytes);
        }
    }
}
