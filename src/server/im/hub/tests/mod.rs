//! The hub's promises, one by one; `random` keeps asking.

use std::collections::HashMap;
use std::time::Duration;

use super::limits::QueueBounds;
use super::*;
use crate::protocol::webim::Element;
use crate::server::clock::Now;

mod random;

const LIFE: u64 = 3600;

fn now(seconds: u64) -> Now {
    Now {
        steady: Duration::from_secs(seconds),
        unix: 1_700_000_000 + seconds,
    }
}

fn small() -> Limits {
    Limits {
        sessions: 6,
        foreign_groups: 3,
        groups_per_user: 4,
        anonymous_per_group: 1,
        history: QueueBounds {
            messages: 4,
            bytes: 4096,
            age: Duration::from_secs(60),
        },
        history_total: 8192,
        inbox: QueueBounds {
            messages: 3,
            bytes: 4096,
            age: Duration::from_secs(600),
        },
        inbox_total: 8192,
        batch: 3,
        ..Limits::default()
    }
}

fn said(from: &str, random: u64) -> Message {
    Message {
        from: from.into(),
        random,
        priority: 2,
        body: vec![Element::Text("x".into())],
        size: 100,
    }
}

fn letter(from: &str, seq: u64) -> Letter {
    Letter {
        from: from.into(),
        seq,
        random: 0,
        time: 0,
        body: vec![Element::Text("x".into())],
        size: 100,
    }
}

/// A hub with which one speaks in a few words; sessions have the tiny id `{user}{n}`.
struct Bench {
    hub: Hub,
    at: u64,
    logins: u64,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        Self {
            hub: Hub::new(limits),
            at: 0,
            logins: 0,
        }
    }

    fn now(&self) -> Now {
        now(self.at)
    }

    fn login(&mut self, user: &str) -> String {
        self.logins += 1;
        let tiny_id = format!("{user}{}", self.logins);
        let secrets = Secrets {
            tiny_id: tiny_id.clone(),
            a2: "a2".into(),
        };
        let life = Life {
            signed: self.at,
            expires: Duration::from_secs(self.at + LIFE),
        };
        self.hub.login(user, secrets, life, self.now());
        tiny_id
    }

    fn create(&mut self, id: &str) {
        let now = self.now();
        self.hub
            .create(id, "group_name", "admin", Origin::Room, now)
            .unwrap();
    }

    fn join(&mut self, id: &str, tiny_id: &str) -> Result<String, Refusal> {
        self.logins += 1;
        let (fresh, now) = (format!("key{}", self.logins), self.now());
        self.hub.join(id, Joiner::User(tiny_id), fresh, now)
    }

    fn send(&mut self, id: &str, sender: &str, random: u64) -> Result<u64, Refusal> {
        let now = self.now();
        self.hub.send(id, Some(sender), said("x", random), now)
    }

    fn read(&mut self, key: &str, start: u64) -> Result<(Vec<u64>, u64), Refusal> {
        let now = self.now();
        let ticket = self.hub.start_reading(key, now)?;
        Ok(match self.hub.read(key, &ticket, start, now)? {
            Read::Messages { entries, next, .. } => {
                let marks = entries.iter().map(|entry| mark(&entry.what));
                (marks.collect(), next)
            }
            Read::Nothing { next } | Read::Replaced { next } => (vec![], next),
        })
    }

    fn hear(&mut self, tiny_id: &str, acknowledged: u64) -> Result<(Vec<u64>, u64), Refusal> {
        let ticket = self.hub.start_listening(tiny_id, "loop")?;
        Ok(
            match self.hub.hear(tiny_id, "loop", &ticket, acknowledged)? {
                Heard::Letters(letters, notice) => {
                    (letters.iter().map(|l| l.seq).collect(), notice)
                }
                Heard::Nothing | Heard::Replaced => (vec![], acknowledged),
            },
        )
    }

    /// Nothing is kept that nobody needs, everything is counted, no bound is exceeded.
    fn audit(&self) {
        let hub = &self.hub;
        let mut bytes = 0;
        for (number, group) in &hub.groups {
            let (messages, kept) = group.counted();
            assert_eq!(kept, group.bytes);
            assert!(messages <= hub.limits.history.messages);
            bytes += kept;
            assert_eq!(!group.closed, hub.by_id.get(&group.id) == Some(number));
            assert!(!group.closed || !group.readers.is_empty());
            for key in &group.readers {
                assert_eq!(hub.readers[key].group, *number);
            }
        }
        assert_eq!(bytes, hub.history_bytes);
        assert!(bytes <= hub.limits.history_total + 512 * hub.groups.len());
        let mut waiting = 0;
        for (_, session) in hub.sessions.all() {
            let (letters, kept) = session.inbox.counted();
            assert_eq!(kept, session.inbox.bytes());
            assert!(letters <= hub.limits.inbox.messages);
            waiting += kept;
            assert!(session.readers.len() <= hub.limits.groups_per_user);
            assert!(!session.kicked || session.readers.is_empty());
        }
        assert_eq!(waiting, hub.inbox_bytes);
        assert!(waiting <= hub.limits.inbox_total);
        assert!(hub.sessions.len() <= hub.limits.sessions);
        for (key, reader) in &hub.readers {
            assert!(hub.groups[&reader.group].readers.contains(key));
            if let Some(session) = &reader.session {
                assert!(hub.sessions.get(session).unwrap().readers.contains(key));
            }
        }
    }
}

/// Tells one posted message from another in these tests.
fn mark(posted: &Posted) -> u64 {
    match posted {
        Posted::Message(message) => message.random,
        Posted::Notice { content, .. } => content.parse().unwrap(),
        Posted::Dissolved { .. } => u64::MAX,
    }
}

#[test]
fn members_read_what_was_sent_since_they_joined_and_nobody_else_does() {
    let mut bench = Bench::new(Limits::default());
    let (alice, bob, eve) = (bench.login("alice"), bench.login("bob"), bench.login("eve"));
    assert_eq!(bench.join("r", &alice), Err(Refusal::NoSuchGroup));
    bench.create("r");
    let alices = bench.join("r", &alice).unwrap();
    bench.send("r", &alice, 1).unwrap();
    let bobs = bench.join("r", &bob).unwrap();
    bench.send("r", &bob, 2).unwrap();
    let at = bench.now();
    bench.hub.notify("r", "admin", "3", at).unwrap();
    assert_eq!(bench.read(&alices, 0), Ok((vec![1, 2, 3], 4)));
    assert_eq!(bench.read(&alices, 4), Ok((vec![], 4)));
    assert_eq!(bench.read(&alices, 99), Ok((vec![], 4)));
    assert_eq!(bench.read(&bobs, 0), Ok((vec![2, 3], 4)));
    assert_eq!(bench.read(&bobs, 1), Ok((vec![2, 3], 4)));
    assert_eq!(bench.read("", 0), Err(Refusal::NoSuchReader));
    assert_eq!(bench.send("r", &eve, 4), Err(Refusal::NotAMember));
    let history = |bench: &Bench, tiny_id: &str, last, count| {
        let found = bench.hub.history("r", tiny_id, last, count)?;
        Ok(found
            .iter()
            .map(|entry| mark(&entry.what))
            .collect::<Vec<_>>())
    };
    assert_eq!(history(&bench, &eve, 9, 9), Err(Refusal::NotAMember));
    assert_eq!(history(&bench, &bob, 9, 9), Ok(vec![2, 3]));
    assert_eq!(history(&bench, &alice, 2, 1), Ok(vec![2]));
    assert_eq!(bench.join("r", &bob), Ok(bobs.clone()));
    let at = bench.now();
    bench.hub.quit("r", &bob).unwrap();
    assert_eq!(bench.read(&bobs, 0), Err(Refusal::NoSuchReader));
    assert_eq!(bench.hub.quit("r", &bob), Err(Refusal::NotAMember));
    assert_eq!(bench.send("r", &bob, 5), Err(Refusal::NotAMember));
    // The administrator need not be in.
    assert_eq!(bench.hub.send("r", None, said("admin", 6), at), Ok(4));
    bench.audit();
}

#[test]
fn a_dissolved_group_tells_its_readers_and_is_gone_for_others() {
    let mut bench = Bench::new(Limits::default());
    let alice = bench.login("alice");
    bench.create("r");
    let key = bench.join("r", &alice).unwrap();
    bench.send("r", &alice, 1).unwrap();
    let at = bench.now();
    bench.hub.dissolve("r", Origin::Room, "admin", at).unwrap();
    assert_eq!(bench.send("r", &alice, 2), Err(Refusal::NoSuchGroup));
    // Also readers that come after the messages became old.
    bench.at += 300;
    bench.hub.tidy(bench.now());
    assert_eq!(bench.read(&key, 0), Ok((vec![u64::MAX], 3)));
    assert_eq!(bench.read(&key, 3), Ok((vec![], 3)));
    // The next group of that id is another.
    bench.create("r");
    let again = bench.join("r", &alice).unwrap();
    assert_ne!(again, key);
    bench.send("r", &alice, 7).unwrap();
    assert_eq!(bench.read(&again, 0), Ok((vec![7], 2)));
    assert_eq!(bench.read(&key, 3), Ok((vec![], 3)));
    bench.audit();
    bench.at += 601;
    bench.hub.tidy(bench.now());
    assert_eq!((bench.hub.groups.len(), bench.hub.readers.len()), (1, 0));
    bench.audit();
}

#[test]
fn the_second_login_of_a_user_ends_the_first() {
    let mut bench = Bench::new(Limits::default());
    let first = bench.login("alice");
    bench.create("r");
    let key = bench.join("r", &first).unwrap();
    bench.hub.begin_listening(&first, "loop".into());
    assert_eq!(bench.hear(&first, 0), Ok((vec![], 0)));
    let second = bench.login("alice");
    let at = bench.now();
    assert_eq!(bench.hub.user(&first, "a2", at), Err(Refusal::Kicked));
    assert_eq!(bench.hub.user(&second, "a2", at), Ok("alice"));
    assert_eq!(bench.hub.user(&second, "a3", at), Err(Refusal::NotLoggedIn));
    assert_eq!(bench.hear(&first, 0).unwrap_err(), Refusal::Kicked);
    assert_eq!(bench.read(&key, 0), Err(Refusal::NoSuchReader));
    // Which is remembered for a while.
    bench.at += 601;
    bench.hub.tidy(bench.now());
    let at = bench.now();
    assert_eq!(bench.hub.user(&first, "a2", at), Err(Refusal::NotLoggedIn));
    bench.at += LIFE;
    let at = bench.now();
    assert_eq!(bench.hub.user(&second, "a2", at), Err(Refusal::NotLoggedIn));
    bench.hub.tidy(at);
    assert_eq!(bench.hub.counts().sessions, 0);
}

#[test]
fn a_newer_poll_takes_over() {
    let mut bench = Bench::new(Limits::default());
    let alice = bench.login("alice");
    bench.create("r");
    let key = bench.join("r", &alice).unwrap();
    let at = bench.now();
    let old = bench.hub.start_reading(&key, at).unwrap();
    let new = bench.hub.start_reading(&key, at).unwrap();
    bench.send("r", &alice, 1).unwrap();
    let read = |bench: &mut Bench, ticket| bench.hub.read(&key, ticket, 0, at).unwrap();
    assert_eq!(read(&mut bench, &old), Read::Replaced { next: 1 });
    assert!(matches!(read(&mut bench, &new), Read::Messages { .. }));

    bench.hub.begin_listening(&alice, "loop".into());
    let old = bench.hub.start_listening(&alice, "loop").unwrap();
    let new = bench.hub.start_listening(&alice, "loop").unwrap();
    let heard = |bench: &mut Bench, ticket| bench.hub.hear(&alice, "loop", ticket, 0);
    assert_eq!(heard(&mut bench, &old), Ok(Heard::Replaced));
    assert_eq!(heard(&mut bench, &new), Ok(Heard::Nothing));
    bench.hub.begin_listening(&alice, "another".into());
    assert_eq!(heard(&mut bench, &new), Err(Refusal::Kicked));
    assert_eq!(bench.hear(&alice, 0), Err(Refusal::Kicked));
}

#[test]
fn letters_are_offered_until_they_are_acknowledged_but_not_for_ever() {
    let mut bench = Bench::new(small());
    let (alice, at) = (bench.login("alice"), bench.now());
    bench.hub.begin_listening(&alice, "loop".into());
    let write = |bench: &mut Bench, seq| bench.hub.write("alice", letter("bob", seq), at);
    for seq in 1..=3 {
        assert_eq!(write(&mut bench, seq), Ok(()));
    }
    assert_eq!(write(&mut bench, 4), Err(Refusal::InboxFull));
    let nobody = bench.hub.write("nobody", letter("bob", 1), at);
    assert_eq!(nobody, Err(Refusal::NoSuchUser));
    let (seqs, notice) = bench.hear(&alice, 0).unwrap();
    assert_eq!(seqs, [1, 2, 3]);
    // The answer was lost.
    assert_eq!(bench.hear(&alice, 0), Ok((vec![1, 2, 3], notice)));
    assert_eq!(bench.hear(&alice, notice), Ok((vec![], notice)));
    write(&mut bench, 5).unwrap();
    for _ in 0..3 {
        assert_eq!(bench.hear(&alice, notice).unwrap().0, [5]);
    }
    assert_eq!(bench.hear(&alice, notice).unwrap().0, [0; 0]);
    write(&mut bench, 6).unwrap();
    assert_eq!(bench.hub.fetch(&alice)[0].seq, 6);
    assert_eq!(bench.hear(&alice, notice).unwrap().0, [0; 0]);
    // A client goes on with its cookie after another login.
    let (_, notice) = {
        write(&mut bench, 7).unwrap();
        bench.hear(&alice, notice).unwrap()
    };
    let alice = bench.login("alice");
    bench.hub.begin_listening(&alice, "loop".into());
    write(&mut bench, 8).unwrap();
    assert_eq!(bench.hear(&alice, notice).unwrap().0, [8]);
    bench.audit();
}

#[test]
fn a_slow_reader_goes_on_with_what_is_kept() {
    let mut bench = Bench::new(small());
    let alice = bench.login("alice");
    bench.create("r");
    let key = bench.join("r", &alice).unwrap();
    for random in 1..=10 {
        bench.send("r", &alice, random).unwrap();
    }
    assert_eq!(bench.read(&key, 1), Ok((vec![7, 8, 9], 10)));
    assert_eq!(bench.read(&key, 10), Ok((vec![10], 11)));
    bench.send("r", &alice, 11).unwrap();
    bench.at += 61;
    bench.hub.tidy(bench.now());
    assert_eq!(bench.hub.counts().bytes, 0);
    assert_eq!(bench.read(&key, 11), Ok((vec![], 11)));
    bench.send("r", &alice, 12).unwrap();
    assert_eq!(bench.read(&key, 11), Ok((vec![12], 13)));
}

#[test]
fn groups_of_room_servers_are_theirs_and_bounded() {
    let mut bench = Bench::new(small());
    let at = bench.now();
    let create = |bench: &mut Bench, id: &str, owner: &str| {
        bench.hub.create(id, "n", owner, Origin::Foreign, at)
    };
    assert_eq!(create(&mut bench, "a", "admin"), Ok(()));
    assert_eq!(create(&mut bench, "a", "admin"), Err(Refusal::IdYours));
    assert_eq!(create(&mut bench, "a", "other"), Err(Refusal::IdTaken));
    create(&mut bench, "b", "admin").unwrap();
    create(&mut bench, "c", "admin").unwrap();
    assert_eq!(
        create(&mut bench, "d", "admin"),
        Err(Refusal::TooManyGroups)
    );
    bench.create("d");
    let dissolve =
        |bench: &mut Bench, id: &str| bench.hub.dissolve(id, Origin::Foreign, "admin", at);
    assert_eq!(dissolve(&mut bench, "d"), Err(Refusal::RoomsGroup));
    assert_eq!(dissolve(&mut bench, "a"), Ok(()));
    assert_eq!(dissolve(&mut bench, "a"), Err(Refusal::NoSuchGroup));
    bench.at += 24 * 3600 + 1;
    bench.hub.tidy(bench.now());
    assert_eq!(bench.hub.by_id.keys().collect::<Vec<_>>(), ["d"]);
    bench.audit();
}

#[test]
fn readers_and_sessions_are_bounded() {
    let mut bench = Bench::new(small());
    let alice = bench.login("alice");
    let keys: Vec<_> = (0..5)
        .map(|n| {
            bench.at += 1;
            bench.create(&n.to_string());
            bench.join(&n.to_string(), &alice).unwrap()
        })
        .collect();
    assert_eq!(bench.read(&keys[0], 0), Err(Refusal::NoSuchReader));
    assert!(bench.read(&keys[1], 0).is_ok());

    let at = bench.now();
    let anonymous = |bench: &mut Bench, key: &str| {
        let joined = bench.hub.join("0", Joiner::Anonymous, key.into(), at);
        joined.map(|_| ())
    };
    assert_eq!(anonymous(&mut bench, "k1"), Ok(()));
    assert_eq!(anonymous(&mut bench, "k2"), Err(Refusal::TooManyAnonymous));
    bench.at += 121;
    bench.hub.tidy(bench.now());
    assert_eq!(anonymous(&mut bench, "k2"), Ok(()));

    for n in 0..20 {
        bench.at += 1;
        bench.login(&format!("user{n}"));
        bench.audit();
    }
    let at = bench.now();
    assert_eq!(bench.hub.user(&alice, "a2", at), Err(Refusal::NotLoggedIn));
    assert_eq!(bench.hub.counts().readers, 1);
}
