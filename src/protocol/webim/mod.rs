//! webim, the message channel of RTCRoom: the HTTP protocol that web pages and mini-programs
//! speak to Tencent's message service (client version 1.7.0).
//!
//! A room's group has the room's id. Requests are composed exactly as documented; everything
//! that is read is read tolerantly: a field that is absent, null or of another type counts as
//! empty, and an entry that makes no sense is skipped.

mod body;
mod chat;
mod element;
mod lenient;
mod message;
mod query;

pub use body::*;
pub use chat::{
    C2cSaid, ChatText, CustomCommand, LinkMic, Said, TooLong, c2c_body, command_body,
    is_pushers_changed, read_c2c, read_group, text_body,
};
pub use element::Element;
pub use message::{
    C2cMessage, Content, GroupMessage, PollEvent, ReportType, TIP_JOIN, TIP_QUIT, messages,
    poll_events,
};
pub use query::{App, Caller, Query};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{excerpt, json};

/// Tencent's public host.
pub const PUBLIC_HOST: &str = "https://webim.tim.qq.com";

/// Header of a room server's answer to `login` that says that it is a message service too, on
/// its own host and port; value [`HERE`]. The official room servers have theirs at Tencent's.
pub const HERE_HEADER: &str = "x-rtcroom-messages";
pub const HERE: &str = "here";
/// The query's `websdkappid`.
pub const WEB_SDK_APP_ID: u64 = 537_048_168;
/// The query's `v`.
pub const VERSION: &str = "1.7.0";

/// Account from which groups are told about themselves.
pub const SYSTEM_ACCOUNT: &str = "@TIM#SYSTEM";
/// What a group join is answered with when we are in.
pub const JOINED: &str = "JoinedSuccess";
/// The profile entry that others see as `From_AccountNick`.
pub const TAG_NICK: &str = "Tag_Profile_IM_Nick";

/// Most bytes of a group message's body (the official client's limit for text).
pub const GROUP_LIMIT: usize = 8_898;
/// Most bytes of a C2C message's body.
pub const C2C_LIMIT: usize = 12_000;

/// Nothing new within the hold time: not an error.
pub const ERR_POLL_TIMEOUT: i64 = 60_008;
/// Another instance of the same user took over.
pub const ERR_REPLACED: i64 = 91_101;
/// The message service broke.
pub const ERR_INTERNAL: i64 = 10_002;
/// A parameter is wrong.
pub const ERR_PARAMETER: i64 = 10_004;
/// Not allowed, for example to who is not in the group.
pub const ERR_PERMISSION: i64 = 10_007;
/// The group does not exist.
pub const ERR_NO_GROUP: i64 = 10_010;
/// The group's id is none.
pub const ERR_BAD_GROUP: i64 = 10_015;
/// The userSig is wrong.
pub const ERR_BAD_SIG: i64 = 70_009;
/// No such sdkAppID.
pub const ERR_UNKNOWN_APP: i64 = 70_020;

/// Declares the commands with the path they are posted to.
macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $path:literal),* $(,)?) => {
        /// What can be asked of the message service.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Command { $($(#[$doc])* $name),* }

        impl Command {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Below the host, without a leading slash.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Self::$name => $path),* }
            }
        }
    };
}

commands! {
    Login = "v4/openim/login",
    /// Logs out every instance of the user.
    Logout = "v4/openim/logout",
    AuthKey = "v4/openim/authkey",
    GetLongPollingId = "v4/openim/getlongpollingid",
    LongPolling = "v4/openim/longpolling",
    /// Logs out this instance only.
    LongPollingLogout = "v4/openim/longpollinglogout",
    SendMsg = "v4/openim/sendmsg",
    GetMsg = "v4/openim/getmsg",
    MsgReaded = "v4/openim/msgreaded",
    PortraitGet = "v4/profile/portrait_get",
    PortraitSet = "v4/profile/portrait_set",
    WebReport = "v4/imopenstat/web_report",
    GetJoinedGroupList = "v4/group_open_http_svc/get_joined_group_list",
    ApplyJoinGroup = "v4/group_open_http_svc/apply_join_group",
    QuitGroup = "v4/group_open_http_svc/quit_group",
    SendGroupMsg = "v4/group_open_http_svc/send_group_msg",
    GroupMsgGet = "v4/group_open_http_svc/group_msg_get",
    ApplyJoinGroupAnonymous = "v1/group_open_http_noauth_svc/apply_join_group",
    QuitGroupAnonymous = "v1/group_open_http_noauth_svc/quit_group",
    /// The poll of a big group, logged in or not.
    BigGroupPoll = "v1/group_open_long_polling_http_noauth_svc/get_msg",
}

impl Command {
    /// The command at a path, without a leading slash.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.path() == path)
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path();
        f.write_str(path.rsplit('/').next().unwrap_or(path))
    }
}

/// Why an answer of the message service cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImAnswerError {
    /// The service understood and refused.
    #[error("the message service answered {code}: {info}")]
    Refused { code: i64, info: String },
    #[error("the message service's answer is not a JSON object ({bytes} bytes)")]
    NotJson { bytes: usize },
    #[error("the message service's answer has no {0}")]
    Missing(&'static str),
}

impl ImAnswerError {
    /// The service's error number, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::NotJson { .. } | Self::Missing(_) => None,
        }
    }
}

/// Reads an answer. The HTTP status says nothing: only `ActionStatus` "OK" is success.
///
/// # Errors
/// Anything else, with the service's own number where there is one.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ImAnswerError> {
    let not_json = || ImAnswerError::NotJson { bytes: body.len() };
    let fields: Map<String, Value> =
        json::parse(body, json::ANSWER_WEIGHT).map_err(|_| not_json())?;
    let status = fields.get("ActionStatus").and_then(Value::as_str);
    if status == Some("OK") {
        return serde_json::from_value(Value::Object(fields)).map_err(|_| not_json());
    }
    match fields.get("ErrorCode").and_then(lenient::integer) {
        None => Err(ImAnswerError::Missing("ActionStatus")),
        Some(code) => Err(ImAnswerError::Refused {
            code,
            info: excerpt(&lenient::text(fields.get("ErrorInfo"))),
        }),
    }
}

/// The success that carries `fields` (which must serialise to an object).
#[must_use]
pub fn ok<T: Serialize>(fields: &T) -> Value {
    envelope("OK", 0, "", serde_json::to_value(fields).ok())
}

/// A refusal.
#[must_use]
pub fn fail(code: i64, info: &str) -> Value {
    envelope("FAIL", code, info, None)
}

/// A refusal that carries fields all the same: the big group's poll needs its three always.
#[must_use]
pub fn fail_with<T: Serialize>(code: i64, info: &str, fields: &T) -> Value {
    envelope("FAIL", code, info, serde_json::to_value(fields).ok())
}

fn envelope(status: &str, code: i64, info: &str, fields: Option<Value>) -> Value {
    let mut all = Map::new();
    all.insert("ActionStatus".into(), status.into());
    all.insert("ErrorCode".into(), code.into());
    all.insert("ErrorInfo".into(), info.into());
    if let Some(Value::Object(fields)) = fields {
        all.extend(fields);
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests;
