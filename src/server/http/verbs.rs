//! The verbs of all room types: who may, what must be given, what is answered. The order of
//! the checks is the official Node server's.

use axum::http::HeaderValue;
use axum::response::Response;
use serde_json::{Map, Value};

use super::App;
use super::call::{Call, Query};
use super::live;
use super::reply::{self, Failure, Outcome};
use crate::protocol::answer::{self, CreatedRoom, LoggedIn, PushUrl, RoomList};
use crate::protocol::request::{self, Request};
use crate::protocol::{Code, RoomType, Verb, excerpt, webim};
use crate::server::auth::{self, AuthError, Credentials};
use crate::server::rooms::{self, Joining, Now, Room, RoomKey};
use crate::server::urls;

/// Longest texts in bytes that a member may bring: they go out with every list of members.
const ROOM_ID_LIMIT: usize = 128;
const NAME_LIMIT: usize = 256;
pub(super) const TEXT_LIMIT: usize = 2048;

/// A request whose sender is known.
pub(super) struct Asked<'a> {
    pub(super) app: &'a App,
    pub(super) kind: RoomType,
    /// The user whose token it carries.
    pub(super) caller: &'a str,
    pub(super) body: Value,
    pub(super) now: Now,
    /// The host by which the client reached this server.
    pub(super) reached: &'a str,
}

impl Asked<'_> {
    pub(super) fn read<R: Request>(&self) -> Result<R, Failure> {
        Ok(request::parse(self.body.clone())?)
    }

    pub(super) fn room(&self, id: &str) -> RoomKey {
        RoomKey::new(self.kind, id)
    }

    /// Nobody acts for somebody else.
    pub(super) fn must_be(&self, user_id: &str) -> Result<(), Failure> {
        if user_id == self.caller {
            Ok(())
        } else {
            Err(AuthError::OtherUser.into())
        }
    }
}

pub(super) fn done() -> Outcome {
    Ok(Map::new())
}

/// What a verb does, by whether it needs a login.
enum Deed {
    Open(fn(&App, &Query, Now) -> Outcome),
    Member(fn(&Asked<'_>) -> Outcome),
}

fn deed(verb: Verb) -> Deed {
    match verb {
        Verb::Login => Deed::Open(login),
        Verb::Logout => Deed::Member(logout),
        Verb::GetPushUrl => Deed::Member(get_push_url),
        Verb::GetRoomList => Deed::Member(get_room_list),
        Verb::GetPushers => Deed::Member(get_pushers),
        Verb::CreateRoom => Deed::Member(create_room),
        Verb::DestroyRoom => Deed::Member(destroy_room),
        Verb::AddPusher => Deed::Member(add_pusher),
        Verb::DeletePusher => Deed::Member(delete_pusher),
        Verb::PusherHeartbeat => Deed::Member(pusher_heartbeat),
        Verb::MergeStream => Deed::Member(live::merge_stream),
        Verb::GetCustomInfo => Deed::Member(live::get_custom_info),
        Verb::SetCustomField => Deed::Member(live::set_custom_field),
        Verb::AddAudience => Deed::Member(live::add_audience),
        Verb::DeleteAudience => Deed::Member(live::delete_audience),
        Verb::GetAudiences => Deed::Member(live::get_audiences),
    }
}

/// Answers one room verb.
pub(super) fn answer(app: &App, kind: RoomType, verb: Verb, call: &Call) -> Response {
    let now = app.clock.now();
    let outcome = match deed(verb) {
        Deed::Open(act) => act(app, &call.query, now),
        Deed::Member(act) => identify(app, call, now).and_then(|(caller, body)| {
            act(&Asked {
                app,
                kind,
                caller,
                body,
                now,
                reached: &call.reached,
            })
        }),
    };
    if let Err(failure) = &outcome {
        log::debug!(verb:%, failure:?; "refused");
    }
    let mut response = reply::response(outcome);
    if verb == Verb::Login {
        let here = HeaderValue::from_static(webim::HERE);
        response.headers_mut().insert(webim::HERE_HEADER, here);
    }
    response
}

/// The user of a request and its body, once his token is checked.
fn identify<'a>(app: &App, call: &'a Call, now: Now) -> Result<(&'a str, Value), Failure> {
    let body = call.body.clone()?;
    let given = |name| call.query.get(name).ok_or(AuthError::Missing(name));
    let (user, token) = (given("userID")?, given("token")?);
    app.auth.check(user, token, now)?;
    if app.by_user.admits(&user.to_owned()) {
        Ok((user, body))
    } else {
        Err(Failure::TooManyRequests)
    }
}

fn login(app: &App, query: &Query, now: Now) -> Outcome {
    let given = |name: &'static str| {
        query.get(name).ok_or_else(|| Failure::Refused {
            code: Code::Auth,
            message: AuthError::Missing(name).to_string(),
            extra: Some(("result", "a parameter is missing".into())),
        })
    };
    // Required as everywhere, although nobody compares it with the signature.
    given("accountType")?;
    let user_id = given("userID")?;
    let credentials = Credentials {
        sdk_app_id: given("sdkAppID")?,
        user_id,
        user_sig: given("userSig")?,
    };
    let token = app.auth.login(credentials, now).inspect_err(|error| {
        log::warn!(user:% = excerpt(user_id), error:%; "refused a login");
    })?;
    log::info!(user = user_id; "logged in");
    reply::fields(&LoggedIn {
        user_id: user_id.to_owned(),
        token,
    })
}

fn logout(asked: &Asked<'_>) -> Outcome {
    asked.app.auth.logout(asked.caller);
    log::info!(user = asked.caller; "logged out");
    done()
}

fn get_push_url(asked: &Asked<'_>) -> Outcome {
    let body: request::GetPushUrl = asked.read()?;
    asked.must_be(&body.user_id)?;
    let urls = &asked.app.urls;
    let stream = urls.stream_id(&body.user_id, rand::random());
    let push_url = urls.push_url(&stream, asked.now.unix, asked.reached);
    reply::fields(&PushUrl { push_url })
}

fn get_room_list(asked: &Asked<'_>) -> Outcome {
    let body: request::GetRoomList = asked.read()?;
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let rooms = asked
        .app
        .rooms
        .list(asked.kind, count(body.index), count(body.cnt));
    let rooms = rooms.iter().map(|room| describe(asked, room)).collect();
    reply::fields(&RoomList { rooms })
}

fn get_pushers(asked: &Asked<'_>) -> Outcome {
    let body: request::GetPushers = asked.read()?;
    let room = asked.app.rooms.active(&asked.room(&body.room_id))?;
    reply::fields(&describe(asked, &room))
}

fn create_room(asked: &Asked<'_>) -> Outcome {
    let body: request::CreateRoom = asked.read()?;
    asked.must_be(&body.user_id)?;
    check_room_id(&body.room_id)?;
    let rooms = &asked.app.rooms;
    let fresh = || auth::fresh_id("room");
    match rooms.create(asked.kind, &body.room_id, &body.room_info, asked.now, fresh) {
        Ok(room_id) => reply::fields(&CreatedRoom { room_id }),
        Err(refusal @ rooms::Refusal::RoomExists) => Err(Failure::Refused {
            code: refusal.code(),
            message: refusal.to_string(),
            extra: Some(("roomID", body.room_id.into())),
        }),
        Err(refusal) => Err(refusal.into()),
    }
}

fn destroy_room(asked: &Asked<'_>) -> Outcome {
    let body: request::DestroyRoom = asked.read()?;
    asked.must_be(&body.user_id)?;
    asked
        .app
        .rooms
        .destroy(&asked.room(&body.room_id), asked.caller)?;
    done()
}

fn add_pusher(asked: &Asked<'_>) -> Outcome {
    let body: request::AddPusher = asked.read()?;
    asked.must_be(&body.user_id)?;
    check_room_id(&body.room_id)?;
    at_most(NAME_LIMIT, "userName", &body.user_name)?;
    at_most(TEXT_LIMIT, "userAvatar", &body.user_avatar)?;
    let stream = urls::pushed_stream(&body.push_url)
        .ok_or_else(|| Failure::new(Code::Exception, "pushURL names no stream"))?;
    let joining = Joining {
        user: body.user_id.clone(),
        name: body.user_name.clone(),
        avatar: body.user_avatar.clone(),
        stream: stream.to_owned(),
    };
    let made = asked.app.rooms.add(
        asked.kind,
        &body.room_id,
        &body.room_info,
        &joining,
        asked.now,
        || auth::fresh_id("room"),
    )?;
    match made {
        Some(room_id) => reply::fields(&CreatedRoom { room_id }),
        None => done(),
    }
}

fn delete_pusher(asked: &Asked<'_>) -> Outcome {
    let body: request::DeletePusher = asked.read()?;
    asked.must_be(&body.user_id)?;
    asked
        .app
        .rooms
        .leave(&asked.room(&body.room_id), asked.caller)?;
    done()
}

fn pusher_heartbeat(asked: &Asked<'_>) -> Outcome {
    let body: request::PusherHeartbeat = asked.read()?;
    asked.must_be(&body.user_id)?;
    let room = asked.room(&body.room_id);
    asked.app.rooms.heartbeat(&room, asked.caller, asked.now)?;
    done()
}

/// A room as others see it.
fn describe(asked: &Asked<'_>, room: &Room) -> answer::Room {
    let (urls, unix, reached) = (&asked.app.urls, asked.now.unix, asked.reached);
    let mixed = room
        .main_member()
        .map(|member| urls.mixed_url(&member.stream, member.added, unix, reached));
    let pushers = room.members.iter().map(|member| answer::Pusher {
        user_id: member.user.clone(),
        user_name: member.name.clone(),
        user_avatar: member.avatar.clone(),
        accelerate_url: urls.play_url(&member.stream, member.added, unix, reached),
    });
    let is_live = room.key.kind == RoomType::Live;
    let watchers = || u32::try_from(room.audience.len()).unwrap_or(u32::MAX);
    answer::Room {
        room_id: room.key.id.clone(),
        room_info: room.info.clone(),
        room_creator: room.creator.clone().unwrap_or_default(),
        mixed_play_url: mixed.unwrap_or_default(),
        custom: Some(rooms::custom_text(room)),
        audience_count: is_live.then(watchers),
        pushers: pushers.collect(),
    }
}

fn check_room_id(id: &str) -> Result<(), Failure> {
    at_most(ROOM_ID_LIMIT, "roomID", id)?;
    if id.contains(char::is_control) {
        return Err(Failure::new(
            Code::Parameter,
            "roomID contains a control character",
        ));
    }
    Ok(())
}

pub(super) fn at_most(limit: usize, field: &str, text: &str) -> Result<(), Failure> {
    if text.len() <= limit {
        return Ok(());
    }
    let message = format!("{field} has {} bytes, {limit} are allowed", text.len());
    Err(Failure::new(Code::Parameter, message))
}
