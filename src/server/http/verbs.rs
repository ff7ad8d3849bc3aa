//! The verbs of all room types: their conditions, their fields, their answers. The order of the
//! checks is the official Node server's.

use axum::http::HeaderValue;
use axum::response::Response;

use super::app::App;
use super::call::Call;
use super::call_verb;
use super::live_verbs;
use super::member_call::{MemberCall, TEXT_LIMIT, at_most, done};
use super::reply::{self, Failure, Outcome};
use super::view;
use crate::protocol::answer::{CreatedRoom, LoggedIn, PushUrl, RoomList};
use crate::protocol::request;
use crate::protocol::{Code, RoomType, Verb, excerpt, shown, webim};
use crate::server::auth::{self, AuthError, Credentials};
use crate::server::clock::Now;
use crate::server::rooms::{self, Joining, Room};
use crate::server::urls;

/// Longest room id in bytes: it goes out with every list of rooms.
const ROOM_ID_LIMIT: usize = 128;
/// Longest name of a member in bytes: it goes out with every list of members.
const NAME_LIMIT: usize = 256;

/// The function that does a verb, by whether it needs a login.
enum Handler {
    Open(fn(&App, RoomType, &Call, Now) -> Outcome),
    Member(fn(&MemberCall<'_>) -> Outcome),
}

fn handler(verb: Verb) -> Handler {
    match verb {
        Verb::Login => Handler::Open(login),
        Verb::Logout => Handler::Member(logout),
        Verb::GetPushUrl => Handler::Member(get_push_url),
        Verb::GetRoomList => Handler::Member(get_room_list),
        Verb::GetPushers => Handler::Member(get_pushers),
        Verb::CreateRoom => Handler::Member(create_room),
        Verb::DestroyRoom => Handler::Member(destroy_room),
        Verb::AddPusher => Handler::Member(add_pusher),
        Verb::DeletePusher => Handler::Member(delete_pusher),
        Verb::PusherHeartbeat => Handler::Member(pusher_heartbeat),
        Verb::MergeStream => Handler::Member(live_verbs::merge_stream),
        Verb::GetCustomInfo => Handler::Member(live_verbs::get_custom_info),
        Verb::SetCustomField => Handler::Member(live_verbs::set_custom_field),
        Verb::AddAudience => Handler::Member(live_verbs::add_audience),
        Verb::DeleteAudience => Handler::Member(live_verbs::delete_audience),
        Verb::GetAudiences => Handler::Member(live_verbs::get_audiences),
        Verb::Call => Handler::Member(call_verb::call),
        Verb::RenewUserSig => Handler::Member(renew_user_sig),
    }
}

/// Answers one room verb.
pub(super) fn answer(app: &App, kind: RoomType, verb: Verb, call: &Call) -> Response {
    let now = app.clock.now();
    let outcome = match handler(verb) {
        Handler::Open(act) => act(app, kind, call, now),
        Handler::Member(act) => {
            MemberCall::identify(app, kind, call, now).and_then(|call| act(&call))
        }
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

fn login(app: &App, kind: RoomType, call: &Call, now: Now) -> Outcome {
    let query = &call.query;
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
    call.prove(user_id);
    log::info!(user = user_id; "logged in");
    let calls = Verb::Call.exists_for(kind).then_some(Verb::Call);
    let renews = app.auth.renews(user_id).then_some(Verb::RenewUserSig);
    let features = [calls, renews].into_iter().flatten();
    reply::fields(&LoggedIn {
        user_id: user_id.to_owned(),
        token,
        features: features.map(|verb| verb.path().to_owned()).collect(),
    })
}

fn renew_user_sig(call: &MemberCall<'_>) -> Outcome {
    let body: request::RenewUserSig = call.read()?;
    call.must_be(&body.user_id)?;
    let info = call.app.auth.renew(call.caller, call.now)?;
    log::info!(user = call.caller; "renewed a userSig");
    reply::fields(&info)
}

fn logout(call: &MemberCall<'_>) -> Outcome {
    call.app.auth.logout(call.caller);
    log::info!(user = call.caller; "logged out");
    done()
}

fn get_push_url(call: &MemberCall<'_>) -> Outcome {
    let body: request::GetPushUrl = call.read()?;
    call.must_be(&body.user_id)?;
    let urls = &call.app.urls;
    let stream = urls.settings().stream_id(call.caller, rand::random());
    let push_url = urls.push_url(&stream, call.now.unix, call.reached);
    reply::fields(&PushUrl { push_url })
}

fn get_room_list(call: &MemberCall<'_>) -> Outcome {
    let body: request::GetRoomList = call.read()?;
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let wanted = |room: &Room| view::is_offered(call, room);
    let most = count(body.cnt).min(view::MOST_ROOMS);
    let rooms = &call.app.rooms;
    let rooms = rooms.list(call.kind, wanted, count(body.index), most);
    let rooms = view::listed(call, &rooms);
    reply::fields(&RoomList { rooms })
}

fn get_pushers(call: &MemberCall<'_>) -> Outcome {
    let body: request::GetPushers = call.read()?;
    let room = call.app.rooms.active(&call.room(&body.room_id))?;
    reply::fields(&view::shown(call, &room)?)
}

fn create_room(call: &MemberCall<'_>) -> Outcome {
    let body: request::CreateRoom = call.read()?;
    call.must_be(&body.user_id)?;
    check_room_id(&body.room_id)?;
    let rooms = &call.app.rooms;
    let fresh = || auth::fresh_id("room");
    let (id, info) = (&body.room_id, &body.room_info);
    match rooms.create(call.kind, id, call.caller, info, call.now, fresh) {
        Ok(room_id) => reply::fields(&CreatedRoom { room_id }),
        Err(refusal @ rooms::Refusal::RoomExists) => Err(Failure::Refused {
            code: refusal.code(),
            message: refusal.to_string(),
            extra: Some(("roomID", body.room_id.into())),
        }),
        Err(refusal) => Err(refusal.into()),
    }
}

fn destroy_room(call: &MemberCall<'_>) -> Outcome {
    let body: request::DestroyRoom = call.read()?;
    call.must_be(&body.user_id)?;
    call.app
        .rooms
        .destroy(&call.room(&body.room_id), call.caller)?;
    done()
}

fn add_pusher(call: &MemberCall<'_>) -> Outcome {
    let body: request::AddPusher = call.read()?;
    call.must_be(&body.user_id)?;
    check_room_id(&body.room_id)?;
    at_most(NAME_LIMIT, "userName", &body.user_name)?;
    at_most(TEXT_LIMIT, "userAvatar", &body.user_avatar)?;
    let stream = own_stream(call, &body.push_url)?;
    let joining = Joining {
        user: body.user_id.clone(),
        name: shown::name(&body.user_name),
        avatar: shown::line(&body.user_avatar),
        stream: stream.to_owned(),
    };
    let made = call.app.rooms.add(
        call.kind,
        &body.room_id,
        &body.room_info,
        &joining,
        call.now,
        || auth::fresh_id("room"),
    )?;
    match made {
        Some(room_id) => reply::fields(&CreatedRoom { room_id }),
        None => done(),
    }
}

/// The stream of a push URL, which must be the caller's own. One that this server did not issue may be
/// anybody's on an open server; the first member that brings it has it.
fn own_stream<'a>(call: &MemberCall<'_>, push_url: &'a str) -> Result<&'a str, Failure> {
    let (stream, query) = urls::pushed_stream(push_url)
        .ok_or_else(|| Failure::new(Code::Exception, "pushURL names no stream"))?;
    let settings = call.app.urls.settings();
    let owner = settings.owner(stream);
    let is_genuine = owner.is_some() && settings.is_genuine(stream, query);
    let theirs = owner.as_deref() == Some(call.caller);
    let foreign = !is_genuine && call.app.urls.takes_foreign(call.app.auth.access());
    if (is_genuine && theirs) || (foreign && (theirs || owner.is_none())) {
        return Ok(stream);
    }
    let message = "pushURL is not one that this server gave to this user";
    Err(Failure::new(Code::Parameter, message))
}

fn delete_pusher(call: &MemberCall<'_>) -> Outcome {
    let body: request::DeletePusher = call.read()?;
    call.must_be(&body.user_id)?;
    call.app
        .rooms
        .leave(&call.room(&body.room_id), call.caller)?;
    done()
}

fn pusher_heartbeat(call: &MemberCall<'_>) -> Outcome {
    let body: request::PusherHeartbeat = call.read()?;
    call.must_be(&body.user_id)?;
    let room = call.room(&body.room_id);
    call.app.rooms.heartbeat(&room, call.caller, call.now)?;
    done()
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
