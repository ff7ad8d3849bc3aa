//! The members that came, went or changed between two member lists. Pure.

use serde::{Serialize, Serializer};

use crate::protocol::answer::Pusher;
use crate::protocol::shown;
use crate::protocol::stream_url::redacted;

/// Another member of the room.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    pub user_id: String,
    pub user_name: String,
    pub user_avatar: String,
    /// The play URL; its query is a secret, which is neither logged nor serialized.
    #[serde(serialize_with = "without_secret")]
    pub accelerate_url: String,
}

fn without_secret<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redacted(url))
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("user_id", &self.user_id)
            .field("user_name", &self.user_name)
            .field("user_avatar", &self.user_avatar)
            .field("accelerate_url", &redacted(&self.accelerate_url))
            .finish()
    }
}

impl From<&Pusher> for Member {
    fn from(pusher: &Pusher) -> Self {
        Self {
            user_id: shown::name(&pusher.user_id),
            user_name: shown::name(&pusher.user_name),
            user_avatar: shown::line(&pusher.user_avatar),
            accelerate_url: pusher.accelerate_url.clone(),
        }
    }
}

/// The changes between two lists, each in the order of its list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Diff {
    pub joined: Vec<Member>,
    pub left: Vec<Member>,
    /// The same user with another play URL or name.
    pub changed: Vec<Member>,
}

/// The members as far as they were announced.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster {
    members: Vec<Member>,
}

impl Roster {
    #[must_use]
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Takes over a list from the server and returns the changes in it.
    ///
    /// `me` and members without a name (ghosts of a Node bug) are left out; of a user listed
    /// twice the later entry counts. With `keep_absent` nobody leaves: after the server lost
    /// its memory the others need a while to come back, and the call goes on meanwhile.
    pub(super) fn update(&mut self, listed: &[Pusher], me: &str, keep_absent: bool) -> Diff {
        let mut next = normalised(listed, me);
        let mut diff = Diff::default();
        for member in &next {
            match find(&self.members, &member.user_id) {
                None => diff.joined.push(member.clone()),
                Some(known) if known != member => diff.changed.push(member.clone()),
                Some(_) => {}
            }
        }
        let absent = self
            .members
            .iter()
            .filter(|known| find(&next, &known.user_id).is_none())
            .cloned()
            .collect();
        if keep_absent {
            next.extend::<Vec<_>>(absent);
        } else {
            diff.left = absent;
        }
        self.members = next;
        diff
    }
}

fn find<'a>(members: &'a [Member], user_id: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.user_id == user_id)
}

fn normalised(listed: &[Pusher], me: &str) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::with_capacity(listed.len());
    for pusher in listed {
        if pusher.user_id.is_empty() || pusher.user_id == me {
            continue;
        }
        let member = Member::from(pusher);
        match members.iter_mut().find(|m| m.user_id == member.user_id) {
            Some(earlier) => *earlier = member,
            None => members.push(member),
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pusher(user: &str, url: &str, name: &str) -> Pusher {
        Pusher {
            user_id: user.into(),
            user_name: name.into(),
            user_avatar: String::new(),
            accelerate_url: url.into(),
        }
    }

    fn ids(members: &[Member]) -> Vec<&str> {
        members.iter().map(|m| m.user_id.as_str()).collect()
    }

    #[test]
    fn tells_who_came_went_and_changed() {
        let mut roster = Roster::default();
        let diff = roster.update(
            &[pusher("me", "u", "n"), pusher("a", "u", "n")],
            "me",
            false,
        );
        assert_eq!(ids(&diff.joined), ["a"]);
        let same = roster.update(&[pusher("a", "u", "n")], "me", false);
        assert_eq!(same, Diff::default());
        let url = roster.update(&[pusher("a", "v", "n")], "me", false);
        assert_eq!(ids(&url.changed), ["a"]);
        let name = roster.update(&[pusher("a", "v", "m"), pusher("b", "", "")], "me", false);
        assert_eq!(
            (ids(&name.changed), ids(&name.joined)),
            (vec!["a"], vec!["b"])
        );
        let gone = roster.update(&[], "me", false);
        assert_eq!(ids(&gone.left), ["a", "b"]);
    }

    #[test]
    fn nobody_leaves_while_the_absent_are_kept() {
        let mut roster = Roster::default();
        roster.update(&[pusher("a", "u", "")], "me", false);
        assert_eq!(roster.update(&[], "me", true), Diff::default());
        let back = roster.update(&[pusher("a", "v", "")], "me", true);
        assert_eq!((ids(&back.changed), back.joined.len()), (vec!["a"], 0));
        assert_eq!(ids(&roster.update(&[], "me", false).left), ["a"]);
    }

    #[test]
    fn secrets_are_not_shown() {
        let member = Member::from(&pusher("a", "rtmp://h/live/s?txSecret=abc", "n"));
        let json = serde_json::to_string(&member).unwrap();
        for text in [format!("{member:?}"), json] {
            assert!(
                text.contains("rtmp://h/live/s") && !text.contains("abc"),
                "{text}"
            );
        }
    }

    fn lists() -> impl Strategy<Value = Vec<Pusher>> {
        let entry = ("(|me|[a-d])", "[uv]", "[nm]");
        proptest::collection::vec(
            entry.prop_map(|(id, url, name)| pusher(&id, &url, &name)),
            0..8,
        )
    }

    proptest! {
        #[test]
        fn the_diff_leads_from_one_list_to_the_next(old in lists(), new in lists()) {
            let mut roster = Roster::default();
            roster.update(&old, "me", false);
            let before = roster.members().to_vec();
            let diff = roster.update(&new, "me", false);

            let mut replayed = before;
            replayed.retain(|m| find(&diff.left, &m.user_id).is_none());
            for changed in &diff.changed {
                let known = replayed.iter_mut().find(|m| m.user_id == changed.user_id).unwrap();
                prop_assert_ne!(&*known, changed);
                *known = changed.clone();
            }
            replayed.extend(diff.joined.iter().cloned());
            let by_id = |members: &[Member]| {
                let mut members = members.to_vec();
                members.sort_by(|a, b| a.user_id.cmp(&b.user_id));
                members
            };
            prop_assert_eq!(by_id(&replayed), by_id(&normalised(&new, "me")));
            prop_assert!(find(roster.members(), "me").is_none());
            prop_assert!(find(roster.members(), "").is_none());
            prop_assert_eq!(roster.update(&new, "me", false), Diff::default());
        }
    }
}
