//! Commands of clients: mini-programs, web pages and kiosks.

use serde_json::{Value, json};

use super::call::Call;
use super::caller::{Caller, identify};
use super::hub::{Joiner, Life, Profile, Secrets};
use super::reply::{Failure, Outcome};
use super::room_feed::GROUP_NAME;
use super::service::{Im, fresh_secret};
use super::{held_polls, message};
use crate::protocol::excerpt;
use crate::protocol::im_rest::ErrorCode;
use crate::protocol::webim::{
    self, AuthKeyAnswer, Empty, GroupRequest, ImCommand, JOINED, Joined, JoinedGroupList,
    JoinedGroupListRequest, LoggedIn, LongPollingId, Portrait, PortraitGetRequest,
    PortraitSetRequest, Portraits, ProfileItem, SendC2cRequest, SendGroupRequest, Sent, TAG_NICK,
};
use crate::server::auth::Credentials;

/// The profile entry that holds the address of a picture.
const TAG_IMAGE: &str = "Tag_Profile_IM_Image";

/// Profiles that are answered in one request.
const MAX_PROFILES: usize = 100;
/// Longest profile entry in bytes.
const MAX_PROFILE_BYTES: usize = 512;

/// `SyncFlag` of `getmsg`: nothing more to fetch.
const FETCHED_ALL: u64 = 2;

/// Seconds that a client may use what `authkey` gives it: it is for uploading pictures, which
/// this service does not take.
const AUTH_KEY_LIFE: u64 = 86_400;

/// Answers one command.
pub(super) async fn answer(im: &Im, command: ImCommand, call: Call) -> Value {
    let outcome = match command {
        ImCommand::LongPolling => held_polls::ordinary(im, call).await,
        ImCommand::BigGroupPoll => return held_polls::big_group(im, call).await,
        _ => perform(im, command, &call),
    };
    outcome.unwrap_or_else(|failure| {
        let (code, info) = (failure.code.number(), &failure.info);
        log::debug!(command:%, code, info:%; "refused");
        failure.answer()
    })
}

/// Does what a command says.
fn perform(im: &Im, command: ImCommand, call: &Call) -> Outcome {
    match command {
        ImCommand::Login => return login(im, call),
        // Statistics of the client, sent without waiting for the login; nobody needs them.
        ImCommand::WebReport => return done(),
        ImCommand::ApplyJoinGroupAnonymous => return join(im, &call.body()?, None),
        // A reader without a login has no name to leave by: the key lapses.
        ImCommand::QuitGroupAnonymous => return done(),
        _ => {}
    }
    let caller = identify(im, call)?;
    if !im.by_user.admits(&caller.user) {
        return Err(too_often());
    }
    match command {
        ImCommand::PortraitGet => portrait_get(im, &caller, call.body()?),
        ImCommand::PortraitSet => portrait_set(im, &caller, call.body()?),
        ImCommand::GetJoinedGroupList => joined_groups(&caller, &call.body()?),
        ImCommand::AuthKey => Ok(webim::ok(&AuthKeyAnswer {
            ip_list: vec!["127.0.0.1".to_owned()],
            auth_key: fresh_secret(),
            expire_time: im.now().unix + AUTH_KEY_LIFE,
        })),
        ImCommand::GetLongPollingId => long_polling_id(im, &caller),
        ImCommand::GetMsg => fetch(im, &caller),
        ImCommand::SendMsg => send_to_user(im, &caller, call.body()?),
        ImCommand::SendGroupMsg => send_to_group(im, &caller, call.body()?),
        ImCommand::GroupMsgGet => history(im, &caller, call),
        ImCommand::ApplyJoinGroup => join(im, &call.body()?, Some(&caller)),
        ImCommand::QuitGroup => quit(im, &caller, &call.body()?),
        ImCommand::Logout | ImCommand::LongPollingLogout => logout(im, &caller),
        // The sender is not told that a message was read; no RTCRoom client shows that.
        _ => done(),
    }
}

fn done() -> Outcome {
    Ok(webim::ok(&Empty::default()))
}

fn too_often() -> Failure {
    Failure::new(ErrorCode::TooOften, "too many requests of this user")
}

/// Refuses a user that acts for somebody else.
fn must_be(caller: &Caller, named: &str) -> Result<(), Failure> {
    if named.is_empty() || named == caller.user {
        return Ok(());
    }
    let info = format!("logged in as {}, not as {named}", caller.user);
    Err(Failure::new(ErrorCode::NoPermission, info))
}

fn login(im: &Im, call: &Call) -> Outcome {
    let query = &call.query;
    let user = query.identifier.as_str();
    let credentials = Credentials {
        sdk_app_id: &query.sdk_app_id,
        user_id: user,
        user_sig: &query.user_sig,
    };
    let now = im.now();
    let claims = im.auth.verify(credentials, now).inspect_err(|error| {
        log::warn!(user:% = excerpt(user), error:%; "refused a message login");
    })?;
    call.origin.prove(user);
    if !im.by_user.admits(&user.to_owned()) {
        return Err(too_often());
    }
    // A userSig that is over opens nothing, also not what it opened before.
    let life = im.auth.life(&claims, now);
    let (tiny_id, a2_key) = (rand::random::<u64>().to_string(), fresh_secret());
    let secrets = Secrets {
        tiny_id: tiny_id.clone(),
        a2: a2_key.clone(),
    };
    let life = Life {
        signed: claims.time,
        expires: now.steady + life,
    };
    im.hub().login(user, secrets, life, now);
    log::info!(user; "logged in for messages");
    Ok(webim::ok(&LoggedIn { tiny_id, a2_key }))
}

fn logout(im: &Im, caller: &Caller) -> Outcome {
    im.hub().end_session(&caller.tiny_id);
    log::info!(user = caller.user.as_str(); "logged out of messages");
    done()
}

fn portrait_get(im: &Im, caller: &Caller, asked: PortraitGetRequest) -> Outcome {
    must_be(caller, &asked.from_account)?;
    let hub = im.hub();
    let portraits = asked.to_account.into_iter().take(MAX_PROFILES);
    let portraits = portraits.map(|user| {
        let profile = hub.profile(&user).cloned().unwrap_or_default();
        let nick = profile.nick.unwrap_or_else(|| user.clone());
        let items = [(TAG_NICK, Some(nick)), (TAG_IMAGE, profile.image)];
        let wanted = items.into_iter().filter(|(tag, _)| {
            asked.tag_list.is_empty() || asked.tag_list.iter().any(|wanted| wanted == tag)
        });
        let items = wanted.filter_map(|(tag, value)| {
            let tag = tag.to_owned();
            value.map(|value| ProfileItem { tag, value })
        });
        Portrait {
            to_account: user,
            profile_item: items.collect(),
            ..Portrait::default()
        }
    });
    Ok(webim::ok(&Portraits {
        user_profile_item: portraits.collect(),
    }))
}

fn portrait_set(im: &Im, caller: &Caller, asked: PortraitSetRequest) -> Outcome {
    must_be(caller, &asked.from_account)?;
    let mut items = asked.profile_item;
    if items
        .iter()
        .any(|item| item.value.len() > MAX_PROFILE_BYTES)
    {
        let info = format!("a profile entry may have {MAX_PROFILE_BYTES} bytes");
        return Err(Failure::new(ErrorCode::BadParameter, info));
    }
    im.hub()
        .set_profile(&caller.tiny_id, |profile: &mut Profile| {
            for item in items.drain(..) {
                match item.tag.as_str() {
                    TAG_NICK => profile.nick = Some(item.value),
                    TAG_IMAGE => profile.image = Some(item.value),
                    _ => {}
                }
            }
        });
    done()
}

/// Big groups are not listed: a client would ask for their messages as for ordinary ones.
fn joined_groups(caller: &Caller, asked: &JoinedGroupListRequest) -> Outcome {
    must_be(caller, &asked.member_account)?;
    Ok(webim::ok(&JoinedGroupList::default()))
}

fn long_polling_id(im: &Im, caller: &Caller) -> Outcome {
    let id = fresh_secret();
    im.hub().begin_listening(&caller.tiny_id, id.clone());
    Ok(webim::ok(&LongPollingId {
        long_polling_id: id,
        timeout: im.settings.hold.as_secs().max(1),
    }))
}

fn fetch(im: &Im, caller: &Caller) -> Outcome {
    let letters = im.hub().fetch(&caller.tiny_id);
    let letters = letters
        .iter()
        .map(|letter| message::letter_on_wire(letter, 0, &caller.user).to_json());
    Ok(webim::ok(&webim::PendingC2c {
        cookie: String::new(),
        sync_flag: FETCHED_ALL,
        msg_list: letters.collect(),
        event_array: Vec::new(),
    }))
}

fn may_send(im: &Im, caller: &Caller, from: &str) -> Result<(), Failure> {
    must_be(caller, from)?;
    if im.by_sender.admits(&caller.user) {
        return Ok(());
    }
    Err(Failure::new(ErrorCode::TooOften, "too many messages"))
}

fn send_to_user(im: &Im, caller: &Caller, asked: SendC2cRequest) -> Outcome {
    may_send(im, caller, &asked.from_account)?;
    let now = im.now();
    let to = asked.to_account.clone();
    let letter = message::for_user(asked, &caller.user, now.unix)?;
    im.hub().write(&to, letter, now)?;
    Ok(webim::ok(&json!({ "MsgTime": now.unix })))
}

fn send_to_group(im: &Im, caller: &Caller, asked: SendGroupRequest) -> Outcome {
    may_send(im, caller, &asked.from_account)?;
    let now = im.now();
    let group_id = asked.group_id.clone();
    let message = message::for_group(asked, &caller.user)?;
    // Who is a member by now must know, and may write.
    im.catch_up_with_rooms();
    let sent = im
        .hub()
        .send(&group_id, Some(&caller.tiny_id), message, now);
    Ok(webim::ok(&Sent {
        msg_time: now.unix,
        msg_seq: sent?,
    }))
}

fn history(im: &Im, caller: &Caller, call: &Call) -> Outcome {
    let asked = call.body.clone()?;
    let number = |key: &str| asked.get(key).and_then(Value::as_u64).unwrap_or_default();
    let group_id = asked.get("GroupId").and_then(Value::as_str);
    let group_id = group_id.unwrap_or_default();
    let count = usize::try_from(number("ReqMsgNumber")).unwrap_or(usize::MAX);
    let last = number("ReqMsgSeq");
    let found = im.hub().history(group_id, &caller.tiny_id, last, count)?;
    let list = message::entries(&found, group_id, GROUP_NAME, &caller.user);
    Ok(webim::ok(
        &json!({ "GroupId": group_id, "RspMsgList": list, "IsFinished": 1 }),
    ))
}

fn join(im: &Im, asked: &GroupRequest, caller: Option<&Caller>) -> Outcome {
    message::check_group_id(&asked.group_id)?;
    // The user that just made a room must find its group.
    im.catch_up_with_rooms();
    let joiner = caller.map_or(Joiner::Anonymous, |caller| Joiner::User(&caller.tiny_id));
    let key = im
        .hub()
        .join(&asked.group_id, joiner, fresh_secret(), im.now())?;
    Ok(webim::ok(&Joined {
        joined_status: JOINED.to_owned(),
        long_polling_key: key,
    }))
}

fn quit(im: &Im, caller: &Caller, asked: &GroupRequest) -> Outcome {
    im.hub().quit(&asked.group_id, &caller.tiny_id)?;
    done()
}
