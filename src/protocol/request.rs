//! Bodies that are sent to a room server: exactly the documented fields, because Java refuses
//! unknown ones. Reading is tolerant, because clients send more, and other types of values.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::excerpt::excerpt;
use super::json;
use super::json::lenient::{Lenient, lenient};
use super::verb::Verb;

/// A request body with the verb it belongs to.
pub trait Request: Serialize + DeserializeOwned {
    const VERB: Verb;
    /// Keys that must be present and not null; an empty string is present. Those whose value must
    /// be a whole number end in `#`.
    const REQUIRED: &'static [&'static str];
}

/// Declares request bodies: all fields that go out, in the order of the documents.
macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident for $verb:ident requires [$($required:literal),*] {
        $($(#[$attr:meta])* $field:ident: $type:ty),* $(,)?
    })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name {
            $($(#[$attr])* #[serde(deserialize_with = "lenient")] pub $field: $type),*
        }

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
        #[serde(rename = "roomID", skip_serializing_if = "Option::is_none")]
        room_id: Option<String>,
        #[serde(rename = "userID")]
        user_id: String,
    }

    GetRoomList for GetRoomList requires ["index#", "cnt#"] {
        /// Number of rooms to skip.
        index: u32,
        /// Maximum number of rooms in the answer.
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
        #[serde(rename = "roomID")]
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
        #[serde(rename = "roomInfo")]
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
        #[serde(skip_serializing_if = "Option::is_none")]
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
        agents: Vec<String>,
        /// Agents (user ids) that are not to be offered, because they did not answer just now.
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
        let (name, is_number) = match key.strip_suffix('#') {
            Some(name) => (name, true),
            None => (*key, false),
        };
        let value = body.get(name).filter(|value| !value.is_null());
        let value = value.ok_or(BodyError::Missing(name))?;
        if is_number && u32::read(value.clone()).is_none() {
            let value = excerpt(&value.to_string());
            let reason = format!("{name} is {value}, a whole number from 0 is needed");
            return Err(BodyError::Wrong(reason));
        }
    }
    serde_json::from_value(body).map_err(|error| BodyError::Wrong(json::reason(&error)))
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
        let odd: CreateRoom = parse(json!({"userID":10086,"roomInfo":{"a":1}})).unwrap();
        assert_eq!(
            (odd.user_id.as_str(), odd.room_info.as_str()),
            ("10086", r#"{"a":1}"#)
        );
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
            BodyError::Wrong("index is -1, a whole number from 0 is needed".into())
        );
        let long = json!({"index":"x".repeat(100_000),"cnt":20});
        let wrong = parse::<GetRoomList>(long).unwrap_err();
        assert!(wrong.to_string().len() < 1000, "{wrong}");
    }
}
