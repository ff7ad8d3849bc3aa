//! The verbs that only live rooms have.

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::reply::{self, Failure, Outcome};
use super::verbs::{Asked, TEXT_LIMIT, at_most, done};
use crate::protocol::Code;
use crate::protocol::answer::{Audience, Audiences, CustomInfo, Merged};
use crate::protocol::request;
use crate::server::rooms::{self, FieldChange, Watcher};

/// There is no mixer, and the inner answer says so: an outer code 0 does not mean "mixed".
pub(super) fn merge_stream(asked: &Asked<'_>) -> Outcome {
    let body: request::MergeStream = asked.read()?;
    asked.must_be(&body.user_id)?;
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

pub(super) fn get_custom_info(asked: &Asked<'_>) -> Outcome {
    let body: request::GetCustomInfo = asked.read()?;
    let room = asked.app.rooms.active(&asked.room(&body.room_id))?;
    let custom = rooms::custom_text(&room).into();
    reply::fields(&CustomInfo { custom })
}

pub(super) fn set_custom_field(asked: &Asked<'_>) -> Outcome {
    let body: request::SetCustomField = asked.read()?;
    let change = FieldChange::parse(&body.operation, body.value)?;
    let room = asked.room(&body.room_id);
    let custom = asked
        .app
        .rooms
        .set_field(&room, &body.field_name, &change)?;
    reply::fields(&CustomInfo {
        custom: custom.into(),
    })
}

pub(super) fn add_audience(asked: &Asked<'_>) -> Outcome {
    let body: request::AddAudience = asked.read()?;
    asked.must_be(&body.user_id)?;
    at_most(TEXT_LIMIT, "userInfo", &body.user_info)?;
    let room = asked.room(&body.room_id);
    let watcher = Watcher {
        user: body.user_id,
        info: body.user_info,
    };
    asked.app.rooms.add_watcher(&room, &watcher)?;
    done()
}

pub(super) fn delete_audience(asked: &Asked<'_>) -> Outcome {
    let body: request::DeleteAudience = asked.read()?;
    asked.must_be(&body.user_id)?;
    let room = asked.room(&body.room_id);
    asked.app.rooms.remove_watcher(&room, asked.caller);
    done()
}

pub(super) fn get_audiences(asked: &Asked<'_>) -> Outcome {
    let body: request::GetAudiences = asked.read()?;
    let watchers = asked.app.rooms.audience(&asked.room(&body.room_id));
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
