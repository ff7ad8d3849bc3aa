//! The hub under random operations, with its promises checked after each.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Operation {
    Login(usize),
    Logout(usize),
    Create(usize),
    Dissolve(usize),
    Notify(usize),
    Join(usize, usize),
    Quit(usize, usize),
    Send(usize, usize),
    Write(usize, usize),
    Wait(u64),
}

fn operation() -> impl Strategy<Value = Operation> {
    let (user, group) = (0..4_usize, 0..3_usize);
    prop_oneof![
        1 => user.clone().prop_map(Operation::Login),
        1 => user.clone().prop_map(Operation::Logout),
        2 => group.clone().prop_map(Operation::Create),
        1 => group.clone().prop_map(Operation::Dissolve),
        2 => group.clone().prop_map(Operation::Notify),
        4 => (user.clone(), group.clone()).prop_map(|(u, g)| Operation::Join(u, g)),
        1 => (user.clone(), group.clone()).prop_map(|(u, g)| Operation::Quit(u, g)),
        6 => (user.clone(), group).prop_map(|(u, g)| Operation::Send(u, g)),
        2 => (user.clone(), user).prop_map(|(a, b)| Operation::Write(a, b)),
        1 => (1..40_u64).prop_map(Operation::Wait),
    ]
}

/// A user that reads at once, and what they must find.
#[derive(Debug, Default)]
struct Follower {
    tiny_id: Option<String>,
    /// By group: key, next number, and the messages that must be found.
    groups: HashMap<usize, (String, u64, Vec<u64>)>,
    acknowledged: u64,
    letters: Vec<u64>,
}

struct World {
    bench: Bench,
    users: Vec<Follower>,
    live: [bool; 3],
    mark: u64,
    /// Keys of readers that left, in whichever way.
    void: Vec<String>,
}

impl World {
    fn carry_out(&mut self, operation: &Operation) {
        self.mark += 1;
        self.bench.at += 1;
        let now = self.bench.now();
        match *operation {
            Operation::Wait(seconds) => self.bench.at += seconds,
            Operation::Login(user) => {
                self.leave(user);
                let tiny_id = self.bench.login(&user.to_string());
                self.bench.hub.begin_listening(&tiny_id, "loop".into());
                self.users[user].tiny_id = Some(tiny_id);
            }
            Operation::Logout(user) => {
                if let Some(tiny_id) = self.users[user].tiny_id.take() {
                    self.bench.hub.end_session(&tiny_id);
                }
                self.leave(user);
            }
            Operation::Create(group) => {
                self.bench.create(&group.to_string());
                self.live[group] = true;
            }
            Operation::Dissolve(group) => {
                let id = group.to_string();
                let done = self.bench.hub.dissolve(&id, Origin::Room, "admin", now);
                assert_eq!(done.is_ok(), self.live[group]);
                self.expect(group, u64::MAX);
                self.follow();
                self.live[group] = false;
                for user in &mut self.users {
                    user.groups.remove(&group);
                }
            }
            Operation::Notify(group) => {
                let content = self.mark.to_string();
                let told = self
                    .bench
                    .hub
                    .notify(&group.to_string(), "a", &content, now);
                assert_eq!(told.is_ok(), self.live[group]);
                self.expect(group, self.mark);
            }
            Operation::Join(user, group) => self.join(user, group),
            Operation::Quit(user, group) => {
                let Some(tiny_id) = self.users[user].tiny_id.clone() else {
                    return;
                };
                let left = self.bench.hub.quit(&group.to_string(), &tiny_id);
                let was_in = self.users[user].groups.remove(&group);
                assert_eq!(left.is_ok(), was_in.is_some());
                self.void.extend(was_in.map(|(key, ..)| key));
            }
            Operation::Send(user, group) => {
                let tiny_id = self.users[user].tiny_id.clone().unwrap_or_default();
                let sent = self.bench.send(&group.to_string(), &tiny_id, self.mark);
                let may = self.users[user].groups.contains_key(&group);
                assert_eq!(sent.is_ok(), may, "{sent:?}");
                if may {
                    self.expect(group, self.mark);
                }
            }
            Operation::Write(from, to) => {
                let letter = letter(&from.to_string(), self.mark);
                let sent = self.bench.hub.write(&to.to_string(), letter, now);
                assert_eq!(sent.is_ok(), self.users[to].tiny_id.is_some());
                if sent.is_ok() {
                    self.users[to].letters.push(self.mark);
                }
            }
        }
    }

    fn join(&mut self, user: usize, group: usize) {
        let Some(tiny_id) = self.users[user].tiny_id.clone() else {
            return;
        };
        let joined = self.bench.join(&group.to_string(), &tiny_id);
        assert_eq!(joined.is_ok(), self.live[group]);
        if let Ok(key) = joined {
            let groups = &mut self.users[user].groups;
            groups.entry(group).or_insert((key, 0, vec![]));
        }
    }

    fn expect(&mut self, group: usize, mark: u64) {
        for user in &mut self.users {
            if let Some((_, _, expected)) = user.groups.get_mut(&group) {
                expected.push(mark);
            }
        }
    }

    fn leave(&mut self, user: usize) {
        let user = &mut self.users[user];
        let keys = user.groups.drain().map(|(_, (key, ..))| key);
        self.void.extend(keys);
        user.letters.clear();
    }

    /// Everybody reads: exactly what is due, in order.
    fn follow(&mut self) {
        let bench = &mut self.bench;
        for user in &mut self.users {
            for (key, next, expected) in user.groups.values_mut() {
                let (read, after) = bench.read(key, *next).unwrap();
                assert_eq!(&read, expected);
                *next = after;
                expected.clear();
            }
            if let Some(tiny_id) = &user.tiny_id {
                let (heard, notice) = bench.hear(tiny_id, user.acknowledged).unwrap();
                assert_eq!(heard, user.letters);
                user.acknowledged = notice;
                user.letters.clear();
            }
        }
        for key in &self.void {
            assert_eq!(bench.read(key, 0), Err(Refusal::NoSuchReader));
        }
        bench.audit();
    }
}

proptest! {
    #[test]
    fn who_reads_at_once_reads_all_in_order_and_nobody_reads_more(
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        let mut world = World {
            bench: Bench::new(Limits { sessions: 50, ..small() }),
            users: (0..4).map(|_| Follower::default()).collect(),
            live: [false; 3],
            mark: 0,
            void: vec![],
        };
        for operation in &operations {
            world.carry_out(operation);
            world.follow();
            let now = world.bench.now();
            world.bench.hub.tidy(now);
            world.bench.audit();
        }
    }

    #[test]
    fn memory_is_bounded_when_nobody_reads(
        operations in prop::collection::vec(operation(), 1..200),
    ) {
        let mut bench = Bench::new(small());
        let mut sessions: Vec<String> = (0..4).map(|n| bench.login(&n.to_string())).collect();
        for (mark, operation) in operations.iter().enumerate() {
            let (mark, now) = (mark as u64, bench.now());
            match *operation {
                Operation::Login(user) => sessions[user] = bench.login(&user.to_string()),
                Operation::Logout(user) => bench.hub.end_session(&sessions[user]),
                Operation::Create(group) => bench.create(&group.to_string()),
                Operation::Dissolve(group) => {
                    let _ = bench.hub.dissolve(&group.to_string(), Origin::Room, "a", now);
                }
                Operation::Notify(group) => {
                    let _ = bench.hub.notify(&group.to_string(), "a", &"x".repeat(300), now);
                }
                Operation::Join(user, group) => {
                    let _ = bench.join(&group.to_string(), &sessions[user]);
                }
                Operation::Quit(user, group) => {
                    let _ = bench.hub.quit(&group.to_string(), &sessions[user]);
                }
                Operation::Send(user, group) => {
                    let _ = bench.send(&group.to_string(), &sessions[user], mark);
                }
                Operation::Write(from, to) => {
                    let letter = letter(&from.to_string(), mark);
                    let _ = bench.hub.write(&to.to_string(), letter, now);
                }
                Operation::Wait(seconds) => {
                    bench.at += seconds * 30;
                    bench.hub.tidy(bench.now());
                }
            }
            bench.audit();
        }
    }
}
