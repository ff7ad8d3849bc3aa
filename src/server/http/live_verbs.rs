//! The verbs that only live rooms have.

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::member_call::{MemberCall, TEXT_LIMIT, at_most, done};
use super::reply::{self, Failure, Outcome};
use crate::protocol::answer::{Audience, Audiences, CustomInfo, Merged};
use crate::protocol::request;
use crate::protocol::{Code, shown};
use crate::server::rooms::{self, FieldChange, Watcher};

/// `merge_stream`: there is no mixer, and the inner answer says so: an outer code 0 does not mean
/// "mixed".
pub(super) fn merge_stream(call: &MemberCall<'_>) -> Outcome {
    let body: request::MergeStream = call.read()?;
    call.must_be(&body.user_id)?;
    if let Value::String(text) = &body.merge_params
        && serde_json::from_str::<IgnoredAny>(text).is_err()
    {
        return Err(Failure::new(
            Code::RoomInfoTooLong,
            "mergeParams is not JSON",
        ));
    }
    let code = Code::Exception.number();
    let result = json!({ "code": code, "message": "this server does not mix streams" });
    reply::fields(&Merged { result })
}

pub(super) fn get_custom_info(call: &MemberCall<'_>) -> Outcome {
    let body: request::GetCustomInfo = call.read()?;
    let room = call.app.rooms.active(&call.room(&body.room_id))?;
    let custom = rooms::custom_text(&room).into();
    reply::fields(&CustomInfo { custom })
}

pub(super) fn set_custom_field(call: &MemberCall<'_>) -> Outcome {
    let body: request::SetCustomField = call.read()?;
    let change = FieldChange::parse(&body.operation, body.value)?;
    let room = call.room(&body.room_id);
    let custom = call.app.rooms.set_field(&room, &body.field_name, &change)?;
    reply::fields(&CustomInfo {
        custom: custom.into(),
    })
}

pub(super) fn add_audience(call: &MemberCall<'_>) -> Outcome {
    let body: request::AddAudience = call.read()?;
    call.must_be(&body.user_id)?;
    at_most(TEXT_LIMIT, "userInfo", &body.user_info)?;
    let room = call.room(&body.room_id);
    let watcher = Watcher {
        user: body.user_id,
        info: shown::text(&body.user_info),
    };
    call.app.rooms.add_watcher(&room, &watcher)?;
    done()
}

pub(super) fn delete_audience(call: &MemberCall<'_>) -> Outcome {
    let body: request::DeleteAudience = call.read()?;
    call.must_be(&body.user_id)?;
    let room = call.room(&body.room_id);
    call.app.rooms.remove_watcher(&room, call.caller);
    done()
}

pub(super) fn get_audiences(call: &MemberCall<'_>) -> Outcome {
    let body: request::GetAudiences = call.read()?;
    let watchers = call.app.rooms.audience(&call.room(&body.room_id));
    let audiences: Vec<_> = watchers
        .into_iter()
        .map(|watcher| Audience {
            user_id: watcher.user,
            user_info: watcher.info,
        })
        .collect();
    reply::fields(&Audiences {
        audience_count: u32::try_from(audiences.len()).unwrap_or(u32::MAX),
        audiences,
    })
}
