//! Bodies that are sent to a room server: exactly the documented fields, because Java refuses
//! unknown ones. Reading is tolerant, because clients send more, and numbers as strings.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::excerpt::excerpt;
use super::verb::Verb;

/// A request body with the verb it belongs to.
pub trait Request: Serialize + DeserializeOwned {
    const VERB: Verb;
    /// Keys that must be present and not null; an empty string is present.
    const REQUIRED: &'static [&'static str];
}

/// Declares request bodies: all fields that go out, in the order of the documents.
macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident for $verb:ident requires [$($required:literal),*] {
        $($(#[$attr:meta])* $field:ident: $type:ty),* $(,)?
    })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name { $($(#[$attr])* pub $field: $type),* }

        impl Request for $name {
            const VERB: Verb = Verb::$verb;
            const REQUIRED: &'static [&'static str] = &[$($required),*];
        }
    )+};
}

requests! {
    /// Body that every server ignores; identity and userSig stand in the query.
    Login for Login requires [] {}

    Logout for Logout requires [] {}

    GetPushUrl for GetPushUrl requires ["userID"] {
        /// Base of Java's stream id; Node ignores it. Not sent for live rooms.
        #[serde(rename = "roomID", default, skip_serializing_if = "Option::is_none")]
        room_id: Option<String>,
        #[serde(rename = "userID")]
        user_id: String,
    }

    GetRoomList for GetRoomList requires ["index", "cnt"] {
        /// Number of rooms to skip.
        #[serde(deserialize_with = "count")]
        index: u32,
        /// Maximum number of rooms in the answer.
        #[serde(deserialize_with = "count")]
        cnt: u32,
    }

    GetPushers for GetPushers requires ["roomID"] {
        #[serde(rename = "roomID")]
        room_id: String,
    }

    CreateRoom for CreateRoom requires ["userID", "roomInfo"] {
        #[serde(rename = "userID")]
        user_id: String,
        /// At most 1024 bytes of UTF-8.
        #[serde(rename = "roomInfo")]
        room_info: String,
        /// Empty if the server is to invent one.
        #[serde(rename = "roomID", default, deserialize_with = "null_as_empty")]
        room_id: String,
    }

    DestroyRoom for DestroyRoom requires ["roomID", "userID"] {
        #[serde(rename = "roomID")]
        room_id: String,
        #[serde(rename = "userID")]
        user_id: String,
    }

    AddPusher for AddPusher requires ["roomID", "userID", "userName", "userAvatar", "pushURL"] {
        #[serde(rename = "roomID")]
        room_id: String,
        #[serde(rename = "roomInfo", default, deserialize_with = "null_as_empty")]
        room_info: String,
        #[serde(rename = "userID")]
        user_id: String,
        #[serde(rename = "userName")]
        user_name: String,
        #[serde(rename = "userAvatar")]
        user_avatar: String,
        #[serde(rename = "pushURL")]
        push_url: String,
    }

    DeletePusher for DeletePusher requires ["roomID", "userID"] {
        #[serde(rename = "roomID")]
        room_id: String,
        #[serde(rename = "userID")]
        user_id: String,
    }

    PusherHeartbeat for PusherHeartbeat requires ["roomID", "userID"] {
        #[serde(rename = "roomID")]
        room_id: String,
        #[serde(rename = "userID")]
        user_id: String,
    }

    MergeStream for MergeStream requires ["roomID", "userID", "mergeParams"] {
        #[serde(rename = "roomID")]
        room_id: String,
        #[serde(rename = "userID")]
        user_id: String,
        /// An object, or a string that contains one.
        #[serde(rename = "mergeParams")]
        merge_params: Value,
    }

    GetCustomInfo for GetCustomInfo requires ["roomID"] {
        #[serde(rename = "roomID")]
        room_id: String,
    }

    SetCustomField for SetCustomField requires ["roomID", "fieldName", "operation"] {
        #[serde(rename = "roomID")]
        room_id: String,
        #[serde(rename = "fieldName")]
        field_name: String,
        /// `inc`, `dec` or `set`.
        operation: String,
        /// Sent only with `set`; Java refuses the key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
    }

    AddAudience for AddAudience requires ["roomID", "userID", "userInfo"] {
        #[serde(rename = "roomID")]
        room_id: String,
        #[serde(rename = "userID")]
        user_id: String,
        #[serde(rename = "userInfo")]
        user_info: String,
    }

    DeleteAudience for DeleteAudience requires ["roomID", "userID"] {
        #[serde(rename = "roomID")]
        room_id: String,
        #[serde(rename = "userID")]
        user_id: String,
    }

    GetAudiences for GetAudiences requires ["roomID"] {
        #[serde(rename = "roomID")]
        room_id: String,
    }

    /// Asks for the room of an idle agent.
    Call for Call requires ["userID"] {
        #[serde(rename = "userID")]
        user_id: String,
        /// Agents that may be offered: user ids, or beginnings of them followed by `*`. Empty: all.
        #[serde(default)]
        agents: Vec<String>,
        /// Agents (user ids) that are not to be offered, because they did not answer just now.
        #[serde(default)]
        except: Vec<String>,
    }

    RenewUserSig for RenewUserSig requires ["userID"] {
        #[serde(rename = "userID")]
        user_id: String,
    }
}

/// Reasons for which a body is not the request that its path promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0}")]
    Wrong(String),
}

/// Reads a request body; unknown keys are ignored.
///
/// # Errors
/// The first required key that is absent or null, or the value that has a wrong type.
pub fn parse<R: Request>(body: Value) -> Result<R, BodyError> {
    for key in R::REQUIRED {
        if body.get(key).is_none_or(Value::is_null) {
            return Err(BodyError::Missing(key));
        }
    }
    // The reason may quote the value, however long that is.
    serde_json::from_value(body).map_err(|error| BodyError::Wrong(excerpt(&error.to_string())))
}

/// Reads a count as a number or, as in urlencoded bodies, as a string of digits.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = match &value {
        Value::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| D::Error::custom(format!("{value} is not a whole number from 0")))
}

fn null_as_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sends_exactly_the_documented_keys() {
        let body = serde_json::to_value(AddPusher {
            room_id: "r".into(),
            room_info: "i".into(),
            user_id: "u".into(),
            user_name: "n".into(),
            user_avatar: String::new(),
            push_url: "rtmp://h/live/s?x".into(),
        })
        .unwrap();
        assert_eq!(
            body,
            json!({"roomID":"r","roomInfo":"i","userID":"u","userName":"n","userAvatar":"",
                   "pushURL":"rtmp://h/live/s?x"})
        );
        let body = GetPushUrl {
            room_id: None,
            user_id: "u".into(),
        };
        assert_eq!(serde_json::to_value(body).unwrap(), json!({"userID":"u"}));
        assert_eq!(serde_json::to_value(Logout {}).unwrap(), json!({}));
    }

    #[test]
    fn reads_what_clients_send() {
        let list: GetRoomList = parse(json!({"index":"0","cnt":"20","x":1})).unwrap();
        assert_eq!(list, GetRoomList { index: 0, cnt: 20 });
        let created: CreateRoom = parse(json!({"userID":"u","roomInfo":"","roomID":null})).unwrap();
        assert_eq!(created.room_id, "");
        let added: AddPusher = parse(json!({"roomID":"r","userID":"u","userName":"",
            "userAvatar":"","pushURL":""}))
        .unwrap();
        assert_eq!(added.room_info, "");
    }

    #[test]
    fn names_the_key_that_is_missing_or_wrong() {
        let missing = parse::<GetPushers>(json!({"roomID":null}));
        assert_eq!(missing, Err(BodyError::Missing("roomID")));
        let missing = parse::<CreateRoom>(json!([]));
        assert_eq!(missing, Err(BodyError::Missing("userID")));
        let wrong = parse::<GetRoomList>(json!({"index":-1,"cnt":20})).unwrap_err();
        assert_eq!(
            wrong,
            BodyError::Wrong("-1 is not a whole number from 0".into())
        );
        assert!(parse::<CreateRoom>(json!({"userID":"u","roomInfo":{}})).is_err());
        let long = json!({"index":"x".repeat(100_000),"cnt":20});
        let wrong = parse::<GetRoomList>(long).unwrap_err();
        assert!(wrong.to_string().len() < 1000, "{wrong}");
    }
}
