//! Bodies of requests and answers, with their fields in the order of the documents. Composing
//! gives exactly these; reading never fails.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::element::Element;
use crate::protocol::json::lenient::{Lenient, lenient, object};

/// Declares bodies whose every field is read leniently.
macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, rename_all = "PascalCase")]
        pub struct $name {
            $($(#[$attr])* #[serde(deserialize_with = "lenient")] pub $field: $type),*
        }

        impl Lenient for $name {
            fn read(value: Value) -> Option<Self> {
                serde_json::from_value(object(value)?).ok()
            }
        }
    )+};
}

bodies! {
    /// A body without fields: `authkey`, `getlongpollingid`, and answers that only say OK.
    Empty {}

    /// `login`.
    LoginRequest {
        /// "Online".
        state: String,
    }
    LoggedIn {
        tiny_id: String,
        a2_key: String,
    }

    PortraitGetRequest {
        #[serde(rename = "From_Account")]
        from_account: String,
        #[serde(rename = "To_Account")]
        to_account: Vec<String>,
        tag_list: Vec<String>,
    }
    Portraits {
        user_profile_item: Vec<Portrait>,
    }
    Portrait {
        #[serde(rename = "To_Account")]
        to_account: String,
        profile_item: Vec<ProfileItem>,
        result_code: u64,
        result_info: String,
    }
    ProfileItem {
        tag: String,
        value: String,
    }
    PortraitSetRequest {
        #[serde(rename = "From_Account")]
        from_account: String,
        profile_item: Vec<ProfileItem>,
    }

    JoinedGroupListRequest {
        #[serde(rename = "Member_Account")]
        member_account: String,
        limit: u64,
        offset: u64,
        response_filter: Value,
    }
    JoinedGroupList {
        total_count: u64,
        group_id_list: Vec<JoinedGroup>,
    }
    JoinedGroup {
        group_id: String,
        next_msg_seq: u64,
    }

    AuthKeyAnswer {
        ip_list: Vec<String>,
        auth_key: String,
        expire_time: u64,
    }

    LongPollingId {
        long_polling_id: String,
        /// Seconds for which a poll is held.
        timeout: u64,
    }
    /// `longpollinglogout`.
    LongPollingLogoutRequest {
        long_polling_id: String,
    }
    /// `longpolling`.
    LongPollRequest {
        /// Seconds.
        timeout: u64,
        cookie: LongPollCookie,
    }
    LongPollCookie {
        notify_seq: u64,
        notice_seq: u64,
        long_polling_id: String,
    }
    LongPolled {
        /// To be read with [`super::message::poll_events`].
        event_array: Vec<Value>,
    }

    /// `getmsg`.
    GetMsgRequest {
        cookie: String,
        sync_flag: u64,
    }
    PendingC2c {
        cookie: String,
        /// 1 = more to fetch, 2 = finished.
        sync_flag: u64,
        /// To be read with [`super::message::C2cMessage::from_json`].
        msg_list: Vec<Value>,
        event_array: Vec<Value>,
    }

    /// `apply_join_group` and `quit_group`.
    GroupRequest {
        group_id: String,
    }
    Joined {
        /// [`super::constants::JOINED`] if the user is in the group now.
        joined_status: String,
        /// The `Key` of the first poll.
        long_polling_key: String,
    }
    /// `get_msg` of a big group.
    BigGroupPollRequest {
        start_seq: u64,
        /// Seconds.
        hold_time: u64,
        key: String,
    }
    /// The first three are needed in every answer: clients copy them into the next request.
    BigGroupPolled {
        next_seq: u64,
        hold_time: u64,
        key: String,
        /// To be read with [`super::message::messages`].
        rsp_msg_list: Vec<Value>,
    }

    /// `send_group_msg`.
    SendGroupRequest {
        group_id: String,
        #[serde(rename = "From_Account")]
        from_account: String,
        random: u64,
        msg_body: Vec<Element>,
        /// "COMMON", "REDPACKET" or "LOVEMSG".
        msg_priority: String,
    }
    /// `sendmsg`.
    SendC2cRequest {
        #[serde(rename = "From_Account")]
        from_account: String,
        #[serde(rename = "To_Account")]
        to_account: String,
        msg_time_stamp: u64,
        msg_seq: u64,
        msg_random: u64,
        msg_body: Vec<Element>,
    }
    /// Answer to both ways of sending; only a group's has a `MsgSeq`.
    Sent {
        msg_time: u64,
        msg_seq: u64,
    }
}
