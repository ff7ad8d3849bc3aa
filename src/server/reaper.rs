//! The task that drops members that left without goodbye. `rooms` decides what is due and what
//! becomes of it; here are only the clock, the relay and the deadlines.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, timeout_at};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::relay::{StreamProbe, StreamState};
use super::rooms::{Fate, LateMember, Rooms};

/// Questions to the relay at the same time.
const PARALLEL: usize = 32;

/// Longest time for the relay to answer about all late members of one sweep.
const PROBE_DEADLINE: Duration = Duration::from_secs(4);

/// Sweeps every `period` until `stop`.
pub(super) async fn run(
    rooms: Arc<Rooms>,
    probe: Arc<impl StreamProbe + 'static>,
    clock: Clock,
    period: Duration,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let sweeps = async {
        loop {
            ticks.tick().await;
            sweep(&rooms, &probe, clock).await;
        }
    };
    stop.run_until_cancelled(sweeps).await;
}

/// Looks once, and asks the relay about everybody that is late.
async fn sweep(rooms: &Arc<Rooms>, probe: &Arc<impl StreamProbe + 'static>, clock: Clock) {
    let due = rooms.sweep(clock.now());
    for room in &due.idle {
        log::info!(room:display; "nobody entered, the id is free again");
    }
    let slots = Arc::new(Semaphore::new(PARALLEL));
    let deadline = Instant::now() + PROBE_DEADLINE;
    let mut asking = JoinSet::new();
    for late in due.late {
        let (rooms, probe, slots) = (rooms.clone(), probe.clone(), slots.clone());
        asking.spawn(async move {
            let state = timeout_at(deadline, async {
                let _slot = slots.acquire().await;
                probe.state(&late.stream).await
            });
            let state = state.await.unwrap_or_else(|_| {
                StreamState::Unknown("the relay did not answer in time".to_owned())
            });
            let fate = rooms.judge(&late, &state, clock.now());
            log_fate(&late, &state, fate);
        });
    }
    asking.join_all().await;
}

fn log_fate(late: &LateMember, state: &StreamState, fate: Fate) {
    let LateMember { room, user, .. } = late;
    match fate {
        Fate::Dropped => {
            log::info!(room:display, user:%, stream:? = state; "dropped a silent member");
        }
        Fate::Waiting => {
            log::warn!(room:display, user:%, stream:? = state; "a member is silent, perhaps gone");
        }
        Fate::Refreshed => {
            log::debug!(room:display, user:%; "a member is silent, but the stream runs");
        }
        Fate::Settled => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use super::*;
    use crate::protocol::RoomType;
    use crate::server::rooms::{Joining, RoomKey, Rules};

    /// Answers at once, or never for a stream it does not know.
    #[derive(Default)]
    struct Told(Mutex<HashMap<String, StreamState>>);

    impl StreamProbe for Told {
        async fn state(&self, stream: &str) -> StreamState {
            let known = self.0.lock().unwrap().get(stream).cloned();
            match known {
                Some(state) => state,
                None => std::future::pending().await,
            }
        }
    }

    struct Bench {
        rooms: Arc<Rooms>,
        told: Arc<Told>,
        clock: Clock,
        stop: CancellationToken,
    }

    impl Bench {
        fn start() -> Self {
            let bench = Self {
                rooms: Arc::new(Rooms::new(Rules::default())),
                told: Arc::default(),
                clock: Clock::start(),
                stop: CancellationToken::new(),
            };
            let (rooms, told) = (bench.rooms.clone(), bench.told.clone());
            let (clock, stop) = (bench.clock, bench.stop.clone());
            tokio::spawn(run(rooms, told, clock, Duration::from_secs(5), stop));
            bench
        }

        fn add(&self, user: &str) {
            let joining = Joining {
                user: user.into(),
                name: String::new(),
                avatar: String::new(),
                stream: user.into(),
            };
            let now = self.clock.now();
            let fresh = || unreachable!("the id is given");
            self.rooms
                .add(RoomType::Multi, "r", "", &joining, now, fresh)
                .unwrap();
        }

        fn says(&self, stream: &str, state: StreamState) {
            self.told.0.lock().unwrap().insert(stream.into(), state);
        }

        fn members(&self) -> Vec<String> {
            let room = self.rooms.active(&RoomKey::new(RoomType::Multi, "r"));
            let members = room.map_or(Vec::new(), |room| room.members);
            members.into_iter().map(|member| member.user).collect()
        }
    }

    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_member_stays_only_while_the_stream_runs() {
        let bench = Bench::start();
        bench.says("alice", StreamState::Live);
        bench.says("bob", StreamState::NotLive);
        bench.add("alice");
        bench.add("bob");
        pass(19).await;
        assert_eq!(bench.members(), ["alice", "bob"]);
        pass(8).await;
        assert_eq!(bench.members(), ["alice"]);
        pass(100).await;
        assert_eq!(bench.members(), ["alice"]);
        bench.says("alice", StreamState::NotLive);
        pass(27).await;
        assert!(bench.members().is_empty());
        assert_eq!(bench.rooms.occupancy().rooms, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_never_answers_delays_the_end_once_and_holds_up_nobody() {
        let bench = Bench::start();
        bench.says("bob", StreamState::NotLive);
        bench.add("alice");
        bench.add("bob");
        pass(31).await;
        assert_eq!(bench.members(), ["alice"]);
        pass(25).await;
        assert!(bench.members().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_unused_id_is_free_again_after_two_minutes() {
        let bench = Bench::start();
        let now = bench.clock.now();
        let create = |now| {
            bench
                .rooms
                .create(RoomType::Double, "x", "alice", "", now, String::new)
        };
        create(now).unwrap();
        pass(119).await;
        assert!(create(bench.clock.now()).is_err());
        pass(7).await;
        assert!(create(bench.clock.now()).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn stops_when_told() {
        let bench = Bench::start();
        bench.stop.cancel();
        pass(1).await;
        bench.says("alice", StreamState::NotLive);
        bench.add("alice");
        pass(60).await;
        assert_eq!(bench.members(), ["alice"]);
    }
}
