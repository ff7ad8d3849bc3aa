//! `call`: asks for the room of an idle agent, which is then held for the caller.

use super::member_call::MemberCall;
use super::reply::{self, Failure, Outcome};
use super::view;
use crate::protocol::answer::Called;
use crate::protocol::{Code, request};
use crate::server::rooms::{self, Room};

/// Names that a caller may give in each of the lists.
const MOST_NAMES: usize = 256;

/// Answers the verb: one request, whatever the number of rooms.
pub(super) fn call(call: &MemberCall<'_>) -> Outcome {
    let body: request::Call = call.read()?;
    call.must_be(&body.user_id)?;
    for (field, names) in [("agents", &body.agents), ("except", &body.except)] {
        if names.len() > MOST_NAMES {
            let message = format!(
                "{field} has {} names, {MOST_NAMES} are allowed",
                names.len()
            );
            return Err(Failure::new(Code::Parameter, message));
        }
    }
    let fits = |room: &Room| {
        let agent = room.creator.as_deref().unwrap_or_default();
        is_wanted(agent, &body) && view::serves(call, room)
    };
    let rooms = &call.app.rooms;
    let Some(room) = rooms.offer(call.kind, call.caller, call.now, fits, |stream| {
        call.app.runs(stream)
    }) else {
        return reply::fields(&Called {
            result: "nobody".to_owned(),
            ..Called::default()
        });
    };
    reply::fields(&Called {
        result: "offered".to_owned(),
        room_id: room.key.id,
        room_info: room.info,
        room_creator: room.creator.unwrap_or_default(),
        hold_seconds: rooms::HOLD.as_secs(),
    })
}

/// Whether the caller would take this agent.
fn is_wanted(agent: &str, body: &request::Call) -> bool {
    let named = |name: &String| match name.strip_suffix('*') {
        Some(beginning) => agent.starts_with(beginning),
        None => agent == name,
    };
    !body.except.iter().any(|name| name == agent)
        && (body.agents.is_empty() || body.agents.iter().any(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_choose_agents_by_name_and_beginning() {
        let wanted = |agents: &[&str], except: &[&str], agent: &str| {
            let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let body = request::Call {
                user_id: "k".into(),
                agents: texts(agents),
                except: texts(except),
            };
            is_wanted(agent, &body)
        };
        assert!(wanted(&[], &[], "ann"));
        assert!(wanted(&["bob", "ann"], &[], "ann"));
        assert!(!wanted(&["ann"], &[], "anna"));
        assert!(wanted(&["ann*"], &[], "anna"));
        assert!(!wanted(&["ann*"], &["anna"], "anna"));
        assert!(!wanted(&[], &["ann"], "ann"));
    }
}
