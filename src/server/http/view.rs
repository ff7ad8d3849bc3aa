//! Rooms as their viewers see them: members and whoever could come in see the play URLs, each their
//! own; a list shows none.

use super::member_call::MemberCall;
use crate::config::server::Access;
use crate::protocol::answer::{self, Pusher};
use crate::protocol::{Code, RoomType};
use crate::server::rooms::{self, Member, Room};
use crate::server::urls::Play;

use super::reply::Failure;

/// Rooms of one answer; more are asked for with the next index.
pub(super) const MOST_ROOMS: usize = 100;

/// Bytes of texts in one list of rooms.
const MOST_BYTES: usize = 1 << 20;

/// A room with the URLs by which the caller plays it.
///
/// # Errors
/// The caller is not in it, and could not come in now.
pub(super) fn shown(call: &MemberCall<'_>, room: &Room) -> Result<answer::Room, Failure> {
    if !call.app.rooms.shows(room, call.caller, call.now) {
        let message = "the room is full, or held for somebody else";
        return Err(Failure::new(Code::RoomFull, message));
    }
    let (urls, unix, reached) = (&call.app.urls, call.now.unix, call.reached);
    let play = |member: &Member| urls.play_url(played(call, member), unix, reached);
    let pushers = room.members.iter().map(|member| Pusher {
        user_id: member.user.clone(),
        user_name: member.name.clone(),
        user_avatar: member.avatar.clone(),
        accelerate_url: play(member),
    });
    Ok(answer::Room {
        mixed_play_url: mixed(call, room),
        pushers: pushers.collect(),
        ..outside(room)
    })
}

/// The rooms of a list, as many as fit.
pub(super) fn listed(call: &MemberCall<'_>, rooms: &[Room]) -> Vec<answer::Room> {
    let mut bytes = 0;
    let listed = rooms.iter().map(|room| in_list(call, room));
    listed
        .take_while(|room| {
            let first = bytes == 0;
            bytes += size(room);
            first || bytes <= MOST_BYTES
        })
        .collect()
}

/// A room with what a list tells of it. Names are for those that could meet them.
fn in_list(call: &MemberCall<'_>, room: &Room) -> answer::Room {
    let shows = call.app.rooms.shows(room, call.caller, call.now);
    let named = |text: &str| {
        if shows {
            text.to_owned()
        } else {
            String::new()
        }
    };
    let pushers = room.members.iter().map(|member| Pusher {
        user_id: member.user.clone(),
        user_name: named(&member.name),
        user_avatar: named(&member.avatar),
        accelerate_url: String::new(),
    });
    let is_live = room.key.kind == RoomType::Live;
    answer::Room {
        // Published clients play a live room from the list.
        mixed_play_url: if is_live {
            mixed(call, room)
        } else {
            String::new()
        },
        pushers: pushers.collect(),
        ..outside(room)
    }
}

/// Whether a room is offered to the caller of a list.
pub(super) fn is_offered(call: &MemberCall<'_>, room: &Room) -> bool {
    if room.key.kind == RoomType::Live || room.member(call.caller).is_some() {
        return true;
    }
    !room.is_orphaned() && (!call.is_kiosk() || serves(call, room))
}

/// Whether a room's creator is somebody that kiosks are sent to. On an open server anybody is.
pub(super) fn serves(call: &MemberCall<'_>, room: &Room) -> bool {
    let creator = room.creator.as_deref().unwrap_or_default();
    call.app.auth.access() == Access::Open || call.app.auth.role(creator).serves_customers()
}

/// A room from outside, without its members.
fn outside(room: &Room) -> answer::Room {
    let is_live = room.key.kind == RoomType::Live;
    let watchers = || u32::try_from(room.audience.len()).unwrap_or(u32::MAX);
    answer::Room {
        room_id: room.key.id.clone(),
        room_info: room.info.clone(),
        room_creator: room.creator.clone().unwrap_or_default(),
        mixed_play_url: String::new(),
        custom: Some(rooms::custom_text(room)),
        audience_count: is_live.then(watchers),
        pushers: Vec::new(),
    }
}

fn played<'a>(call: &'a MemberCall<'_>, member: &'a Member) -> Play<'a> {
    Play {
        stream: &member.stream,
        viewer: call.caller,
        added: member.added,
    }
}

fn mixed(call: &MemberCall<'_>, room: &Room) -> String {
    let member = room.main_member();
    let url = member.map(|member| {
        let play = played(call, member);
        call.app.urls.mixed_url(play, call.now.unix, call.reached)
    });
    url.unwrap_or_default()
}

fn size(room: &answer::Room) -> usize {
    /// Keys, signs and numbers.
    const FRAME: usize = 200;
    let pusher = |p: &Pusher| FRAME + p.user_id.len() + p.user_name.len() + p.user_avatar.len();
    FRAME
        + room.room_id.len()
        + room.room_info.len()
        + room.custom.as_ref().map_or(0, String::len)
        + room.pushers.iter().map(pusher).sum::<usize>()
}
