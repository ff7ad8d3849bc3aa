//! Commands of room servers, given as the administrator; every request is signed.

use serde_json::{Value, json};

use super::call::Call;
use super::hub::Origin;
use super::message;
use super::reply::{Failure, Outcome};
use super::room_feed::GROUP_NAME;
use super::service::Im;
use crate::protocol::im_rest::{
    BIG_GROUP, CreateGroup, DestroyGroup, ErrorCode, RestCommand, SendGroupSystemNotification,
};
use crate::protocol::webim::{self, Empty, GROUP_LIMIT, SendGroupRequest, Sent};
use crate::server::auth::Credentials;

/// Longest name of a group in bytes.
const MAX_NAME: usize = 128;

/// Answers one command.
pub(super) fn answer(im: &Im, command: RestCommand, call: &Call) -> Value {
    let outcome = identify(im, call).and_then(|()| perform(im, command, call));
    outcome.unwrap_or_else(|failure| {
        let (code, info) = (failure.code.number(), &failure.info);
        log::warn!(command = command.path(), code, info:%; "refused a room server's command");
        failure.answer()
    })
}

/// Lets in only the administrator, and only with a userSig of that name.
fn identify(im: &Im, call: &Call) -> Result<(), Failure> {
    let query = &call.query;
    let credentials = Credentials {
        sdk_app_id: &query.sdk_app_id,
        user_id: &query.identifier,
        user_sig: &query.user_sig,
    };
    im.auth.verify(credentials, im.now())?;
    if im.is_administrator(&query.identifier) {
        call.origin.prove(&query.identifier);
        return Ok(());
    }
    let info = format!("{} is not the administrator", query.identifier);
    Err(Failure::new(ErrorCode::AdministratorNeeded, info))
}

fn perform(im: &Im, command: RestCommand, call: &Call) -> Outcome {
    im.catch_up_with_rooms();
    match command {
        RestCommand::CreateGroup => create(im, &call.body()?),
        RestCommand::DestroyGroup => destroy(im, &call.body()?),
        RestCommand::SendGroupSystemNotification => notify(im, &call.body()?),
        RestCommand::SendGroupMsg => send(im, call.body()?),
    }
}

fn create(im: &Im, asked: &CreateGroup) -> Outcome {
    message::check_group_id(&asked.group_id)?;
    if asked.kind != BIG_GROUP {
        let info = format!("Type must be {BIG_GROUP}");
        return Err(Failure::new(ErrorCode::BadParameter, info));
    }
    if asked.name.len() > MAX_NAME || asked.owner.len() > MAX_NAME {
        let info = format!("Name and Owner_Account may have {MAX_NAME} bytes");
        return Err(Failure::new(ErrorCode::BadParameter, info));
    }
    let name = if asked.name.is_empty() {
        GROUP_NAME
    } else {
        &asked.name
    };
    let owner = if asked.owner.is_empty() {
        &im.settings.administrator
    } else {
        &asked.owner
    };
    im.hub()
        .create(&asked.group_id, name, owner, Origin::Foreign, im.now())?;
    log::info!(group = asked.group_id.as_str(); "a room server made a group");
    Ok(webim::ok(&json!({ "GroupId": asked.group_id })))
}

fn destroy(im: &Im, asked: &DestroyGroup) -> Outcome {
    let operator = &im.settings.administrator;
    im.hub()
        .dissolve(&asked.group_id, Origin::Foreign, operator, im.now())?;
    log::info!(group = asked.group_id.as_str(); "a room server dissolved a group");
    Ok(webim::ok(&Empty::default()))
}

fn notify(im: &Im, asked: &SendGroupSystemNotification) -> Outcome {
    if asked.content.len() > GROUP_LIMIT {
        let info = format!("Content may have {GROUP_LIMIT} bytes");
        return Err(Failure::new(ErrorCode::MessageTooLong, info));
    }
    let operator = &im.settings.administrator;
    im.hub()
        .notify(&asked.group_id, operator, &asked.content, im.now())?;
    Ok(webim::ok(&Empty::default()))
}

fn send(im: &Im, asked: SendGroupRequest) -> Outcome {
    let group_id = asked.group_id.clone();
    let from = if asked.from_account.is_empty() {
        im.settings.administrator.clone()
    } else {
        asked.from_account.clone()
    };
    let message = message::for_group(asked, &from)?;
    let now = im.now();
    let msg_seq = im.hub().send(&group_id, None, message, now)?;
    Ok(webim::ok(&Sent {
        msg_time: now.unix,
        msg_seq,
    }))
}
