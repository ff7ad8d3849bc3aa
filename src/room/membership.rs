//! One stay in a room: entering it, heartbeats, looking who else is there, and coming back
//! when the server has forgotten us. One task; it ends when it is aborted or the room is lost.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::protocol::answer::Room;

use super::backoff::{Backoff, jittered};
use super::error::{Class, RoomError};
use super::event::{ClosedReason, KickedReason, RoomEvent};
use super::link::Link;
use super::member_diff::Roster;
use super::recovery::{Facts, Role, STRIKE_WINDOW, Sight, Step, Strike, Window, next_step};
use super::settings::{EnterRoom, Timings};

/// A request under way; none waits for ever.
pub(super) type Slot<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// Waits for the request in the slot and empties it; may be dropped and called again.
pub(super) async fn in_flight<T>(slot: &mut Slot<T>) -> T {
    match slot {
        Some(request) => {
            let result = request.await;
            *slot = None;
            result
        }
        None => std::future::pending().await,
    }
}

/// Tries to enter before giving up, while the server does not answer properly.
const ENTER_TRIES: u32 = 3;
/// Refusals in a row after which the room counts as closed to us.
const MAX_REFUSALS: u32 = 10;

/// What a stay needs.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) link: Arc<Link>,
    pub(super) room: Arc<EnterRoom>,
    pub(super) timings: Timings,
    /// Tells that the member list should be looked at now.
    pub(super) refresh: Arc<Notify>,
}

impl Seat {
    /// Enters the room, says so through `entered`, and stays until it is lost.
    pub(super) async fn stay(self, entered: oneshot::Sender<Result<(), RoomError>>) {
        let limit = self.timings.enter_deadline;
        let result = tokio::time::timeout(limit, self.enter())
            .await
            .unwrap_or(Err(RoomError::Deadline { after: limit }));
        if let Err(error) = result {
            // Fails when nobody waits any more, and then nobody needs it.
            let _ = entered.send(Err(error));
            return;
        }
        let (outbox, room_id) = (&self.link.outbox, &self.room.room_id);
        log::info!(room_id:% = room_id; "entered the room");
        outbox.note(|snapshot| {
            snapshot.room_id = Some(room_id.clone());
            snapshot.longest_heartbeat_gap_ms = 0;
        });
        let room_id = room_id.clone();
        outbox.emit(RoomEvent::Entered { room_id }).await;
        let _ = entered.send(Ok(()));
        let over = Stay::new(self.clone()).until_over().await;
        log::warn!(event:? = over; "the room is lost");
        self.forget_room();
        self.link.outbox.emit(over).await;
    }

    /// Clears what the snapshot tells about the room.
    pub(super) fn forget_room(&self) {
        self.link.outbox.note(|snapshot| {
            snapshot.room_id = None;
            snapshot.members.clear();
        });
    }

    async fn enter(&self) -> Result<(), RoomError> {
        let mut backoff = self.timings.backoff();
        loop {
            let error = match self.enter_once().await {
                Err(error) if error.class() == Class::Retry => error,
                settled => return settled,
            };
            let pause = backoff.next_pause(rand::random());
            if backoff.failures() >= ENTER_TRIES {
                return Err(error);
            }
            log::warn!(reason = error.reason(), pause:? = pause; "entering the room is tried again");
            tokio::time::sleep(pause).await;
        }
    }

    /// The room must exist before `add_pusher`, or the official servers make a ghost of it.
    async fn enter_once(&self) -> Result<(), RoomError> {
        match self.room.role {
            Role::Host => self.create().await?,
            Role::Guest => drop(self.look().await?),
        }
        self.add().await
    }

    async fn create(&self) -> Result<(), RoomError> {
        let room = &self.room;
        self.ask(|client, me| async move {
            client
                .create_room(&me, &room.room_id, &room.room_info)
                .await
        })
        .await
        .map(drop)
    }

    async fn add(&self) -> Result<(), RoomError> {
        let room = &self.room;
        self.ask(
            |client, me| async move { client.add_pusher(&me, &room.request(&me.user_id)).await },
        )
        .await
    }

    /// The room's members, and whether we are one.
    async fn look(&self) -> Result<(Room, Me), RoomError> {
        let room_id = &self.room.room_id;
        self.ask(|client, me| async move {
            let room = client.get_pushers(&me, room_id).await?;
            let listed = room.pushers.iter().any(|p| p.user_id == me.user_id);
            let user_id = me.user_id.clone();
            Ok((room, Me { user_id, listed }))
        })
        .await
    }

    async fn heartbeat(&self) -> Result<(), RoomError> {
        let room_id = &self.room.room_id;
        let limit = self.timings.heartbeat_deadline();
        self.link
            .ask(limit, |client, me| async move {
                client.heartbeat(&me, room_id).await
            })
            .await
    }

    async fn ask<T, F, R>(&self, request: F) -> Result<T, RoomError>
    where
        F: Fn(super::RoomClient, Arc<super::Identity>) -> R + Send,
        R: Future<Output = Result<T, RoomError>> + Send,
        T: Send,
    {
        self.link.ask(self.timings.enter_deadline, request).await
    }

    /// Looks what has become of the room and of us, and comes back if that is the thing to do.
    async fn recover(&self, mut facts: Facts, logins_seen: u64) -> Result<Recovery, RoomError> {
        let sight = match self.look().await {
            Ok((_, me)) if me.listed => Sight::WithMe,
            Ok(_) => Sight::WithoutMe,
            Err(error) if error.class() == Class::RoomGone => Sight::RoomGone,
            Err(error) => return Err(error),
        };
        facts.relogged_in = self.link.logins() > logins_seen;
        let (step, strike) = next_step(&facts, sight);
        log::info!(facts:? = facts, sight:? = sight, step:? = step; "the server lost us");
        if step == Step::CreateAndAdd {
            self.create().await?;
        }
        if matches!(step, Step::Add | Step::CreateAndAdd) {
            self.add().await?;
        }
        Ok(Recovery { step, strike })
    }
}

/// Ourselves in a member list.
#[derive(Debug)]
struct Me {
    user_id: String,
    listed: bool,
}

#[derive(Debug)]
struct Recovery {
    step: Step,
    strike: Option<Strike>,
}

struct Stay {
    seat: Seat,
    roster: Roster,
    had_company: bool,

    beating: Slot<Result<(), RoomError>>,
    next_beat: Instant,
    beat_started: Instant,
    beat_backoff: Backoff,

    looking: Slot<Result<(Room, Me), RoomError>>,
    next_look: Instant,
    look_backoff: Backoff,
    look_failing_since: Option<Instant>,
    /// A change was announced after the look under way had begun.
    look_again: bool,
    /// Until then nobody counts as gone.
    keep_absent_until: Instant,

    recovering: Slot<Result<Recovery, RoomError>>,
    next_recovery: Option<Instant>,
    recovery_backoff: Backoff,
    refusals: u32,
    vanished: Window,
    removed: Window,
    /// When the server last knew us as a member, and the number of logins then.
    known_at: Instant,
    logins_seen: u64,
}

impl Stay {
    fn new(seat: Seat) -> Self {
        let now = Instant::now();
        Self {
            roster: Roster::default(),
            had_company: false,
            beating: None,
            next_beat: now + seat.timings.first_heartbeat(),
            beat_started: now,
            beat_backoff: seat.timings.backoff(),
            looking: None,
            next_look: now,
            look_backoff: seat.timings.backoff(),
            look_failing_since: None,
            look_again: false,
            keep_absent_until: now,
            recovering: None,
            next_recovery: None,
            recovery_backoff: seat.timings.backoff(),
            refusals: 0,
            vanished: Window::new(STRIKE_WINDOW),
            removed: Window::new(STRIKE_WINDOW),
            known_at: now,
            logins_seen: seat.link.logins(),
            seat,
        }
    }

    /// Runs until the room is lost; returns the event that says why.
    async fn until_over(mut self) -> RoomEvent {
        loop {
            let may_look =
                self.looking.is_none() && self.recovering.is_none() && self.next_recovery.is_none();
            let recovery_due = self.next_recovery.unwrap_or_else(Instant::now);
            let over = tokio::select! {
                result = in_flight(&mut self.recovering) => self.on_recovery(result),
                result = in_flight(&mut self.beating) => self.on_beat(result),
                result = in_flight(&mut self.looking) => self.on_look(result).await,
                () = sleep_until(self.next_beat), if self.beating.is_none() => {
                    self.start_beat();
                    None
                }
                () = sleep_until(self.next_look), if may_look => {
                    self.start_look();
                    None
                }
                () = sleep_until(recovery_due), if self.next_recovery.is_some() => {
                    self.next_recovery = None;
                    self.start_recovery();
                    None
                }
                () = self.seat.refresh.notified() => {
                    self.look_again = true;
                    self.next_look = Instant::now();
                    None
                }
            };
            if let Some(event) = over {
                return event;
            }
        }
    }

    fn start_beat(&mut self) {
        let now = Instant::now();
        let gap = u64::try_from((now - self.beat_started).as_millis()).unwrap_or(u64::MAX);
        self.seat.link.outbox.note(|snapshot| {
            snapshot.longest_heartbeat_gap_ms = snapshot.longest_heartbeat_gap_ms.max(gap);
        });
        self.beat_started = now;
        self.next_beat = now + jittered(self.seat.timings.heartbeat, rand::random());
        let seat = self.seat.clone();
        self.beating = Some(Box::pin(async move { seat.heartbeat().await }));
    }

    fn start_look(&mut self) {
        self.look_again = false;
        let seat = self.seat.clone();
        self.looking = Some(Box::pin(async move { seat.look().await }));
    }

    fn start_recovery(&mut self) {
        if self.recovering.is_some() || self.next_recovery.is_some() {
            return;
        }
        let now = Instant::now();
        let facts = Facts {
            role: self.seat.room.role,
            relogged_in: false,
            silent: now - self.known_at,
            had_company: self.had_company,
            vanished: self.vanished.count(now),
            removed: self.removed.count(now),
        };
        let (seat, logins_seen) = (self.seat.clone(), self.logins_seen);
        self.recovering = Some(Box::pin(
            async move { seat.recover(facts, logins_seen).await },
        ));
    }

    /// The server knows us as a member.
    fn known(&mut self) {
        self.known_at = Instant::now();
        self.logins_seen = self.seat.link.logins();
        self.next_recovery = None;
        self.recovery_backoff.reset();
        self.refusals = 0;
    }

    fn on_beat(&mut self, result: Result<(), RoomError>) -> Option<RoomEvent> {
        let ok = result.is_ok();
        self.seat.link.outbox.note(|snapshot| {
            snapshot.heartbeats_ok += u64::from(ok);
            snapshot.heartbeats_failed += u64::from(!ok);
        });
        let Err(error) = result else {
            self.beat_backoff.reset();
            self.known();
            return None;
        };
        match error.class() {
            Class::ReAdd | Class::RoomGone => self.start_recovery(),
            _ if is_takeover(&error) => return Some(kicked(KickedReason::LoginTakenOver)),
            _ => {
                let pause = self.beat_backoff.next_pause(rand::random());
                self.next_beat = self.next_beat.min(Instant::now() + pause);
                let failures = self.beat_backoff.failures();
                log::warn!(reason = error.reason(), failures = failures; "heartbeat failed");
            }
        }
        None
    }

    async fn on_look(&mut self, result: Result<(Room, Me), RoomError>) -> Option<RoomEvent> {
        let now = Instant::now();
        match result {
            Ok((room, me)) => {
                self.look_backoff.reset();
                self.next_look = now + self.next_poll();
                self.end_of_blindness(now);
                if me.listed {
                    self.announce(&room, &me.user_id, now).await;
                } else {
                    self.start_recovery();
                }
            }
            Err(error) if error.class() == Class::RoomGone => {
                self.next_look = now + self.next_poll();
                self.start_recovery();
            }
            Err(error) if is_takeover(&error) => {
                return Some(kicked(KickedReason::LoginTakenOver));
            }
            Err(error) => {
                self.look_failing_since.get_or_insert(now);
                let pause = self.look_backoff.next_pause(rand::random());
                self.next_look = now + pause;
                log::debug!(reason = error.reason(), pause:? = pause; "member list not read");
            }
        }
        None
    }

    fn next_poll(&self) -> Duration {
        if self.look_again {
            Duration::ZERO
        } else {
            self.seat.timings.poll
        }
    }

    /// After a server was away for long it may have dropped the others as it dropped us.
    fn end_of_blindness(&mut self, now: Instant) {
        let grace = self.seat.timings.return_grace;
        if let Some(since) = self.look_failing_since.take()
            && now - since >= grace / 2
        {
            self.keep_absent_until = now + grace;
        }
    }

    async fn announce(&mut self, room: &Room, me: &str, now: Instant) {
        let keep_absent = now < self.keep_absent_until;
        let diff = self.roster.update(&room.pushers, me, keep_absent);
        self.had_company |= !self.roster.members().is_empty();
        let outbox = &self.seat.link.outbox;
        if diff != super::member_diff::Diff::default() {
            let members = self.roster.members().to_vec();
            outbox.note(|snapshot| snapshot.members = members);
        }
        for member in diff.left {
            outbox.emit(RoomEvent::MemberLeft(member)).await;
        }
        for member in diff.changed {
            outbox.emit(RoomEvent::MemberChanged(member)).await;
        }
        for member in diff.joined {
            outbox.emit(RoomEvent::MemberJoined(member)).await;
        }
    }

    fn on_recovery(&mut self, result: Result<Recovery, RoomError>) -> Option<RoomEvent> {
        let now = Instant::now();
        let recovery = match result {
            Ok(recovery) => recovery,
            Err(error) => return self.on_failed_recovery(&error, now),
        };
        match recovery.strike {
            Some(Strike::Vanished) => self.vanished.add(now),
            Some(Strike::Removed) => self.removed.add(now),
            None => {}
        }
        match recovery.step {
            Step::Close => return Some(closed(ClosedReason::Destroyed)),
            Step::Kicked => return Some(kicked(KickedReason::Removed)),
            Step::Add | Step::CreateAndAdd => {}
        }
        self.known();
        self.keep_absent_until = now + self.seat.timings.return_grace;
        self.next_look = now;
        self.seat.link.outbox.note(|snapshot| snapshot.re_adds += 1);
        log::info!(room_id:% = self.seat.room.room_id; "back in the room");
        None
    }

    fn on_failed_recovery(&mut self, error: &RoomError, now: Instant) -> Option<RoomEvent> {
        if is_takeover(error) {
            return Some(kicked(KickedReason::LoginTakenOver));
        }
        let reason = error.reason();
        match error.class() {
            Class::Full => return Some(closed(ClosedReason::Full)),
            Class::Fatal => return Some(closed(ClosedReason::Refused(reason))),
            _ => {}
        }
        // Silence never ends a call, but a server that goes on saying no does.
        self.refusals += u32::from(error.is_from_room_server());
        if self.refusals >= MAX_REFUSALS {
            return Some(closed(ClosedReason::Refused(reason)));
        }
        let pause = self.recovery_backoff.next_pause(rand::random());
        log::warn!(reason:% = reason, pause:? = pause; "coming back into the room failed");
        self.next_recovery = Some(now + pause);
        None
    }
}

fn is_takeover(error: &RoomError) -> bool {
    matches!(error, RoomError::LoginTakenOver { .. })
}

fn closed(reason: ClosedReason) -> RoomEvent {
    RoomEvent::RoomClosed { reason }
}

fn kicked(reason: KickedReason) -> RoomEvent {
    RoomEvent::Kicked { reason }
}
