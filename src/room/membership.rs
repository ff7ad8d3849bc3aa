//! One stay in a room: sends heartbeats, looks at the member list, and comes back when the
//! server has forgotten us. One task, which ends when it is aborted or the room is lost.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::protocol::answer::Room;

use super::error::{ErrorClass, RoomError};
use super::event::{ClosedReason, KickedReason, RoomEvent};
use super::im::ChannelHandle;
use super::in_flight::{InFlight, in_flight};
use super::member_diff::{Diff, Roster};
use super::recovery::{Facts, STRIKE_WINDOW, Step, Strike, Window};
use super::seat::{Me, Recovery, Seat};
use crate::process::backoff::Backoff;

/// Minimum time between two looks at the member list: a member that announces changes all the
/// time must not keep us and the server busy.
const LOOK_SPACING: Duration = Duration::from_millis(50);

/// Refusals in a row after which the room counts as closed to us: about a minute of back-off.
const MAX_REFUSALS: u32 = 10;

/// The way back for the outcome of entering.
pub(super) type Entered = oneshot::Sender<Result<(), RoomError>>;

/// The end that a stay came to by itself. The owner passes it on after it has cleared the stay
/// away, so that another room can be entered at once.
#[derive(Debug)]
pub(super) enum StayEnd {
    NotEntered(RoomError, Entered),
    Lost(RoomEvent),
}

/// Enters the room, says so through `entered`, and stays until it is lost.
pub(super) async fn stay(seat: Seat, entered: Entered) -> StayEnd {
    if let Err(error) = seat.enter().await {
        return StayEnd::NotEntered(error, entered);
    }
    let (outbox, room_id) = (&seat.link.outbox, seat.room().room_id.clone());
    log::info!(room_id:% = room_id; "entered the room");
    outbox.note(|snapshot| {
        snapshot.room_id = Some(room_id.clone());
        snapshot.longest_heartbeat_gap_ms = 0;
    });
    outbox.emit(RoomEvent::Entered { room_id }).await;
    // Fails when nobody waits any more; then `leave` follows.
    let _ = entered.send(Ok(()));
    StayEnd::Lost(Stay::new(seat).until_over().await)
}

struct Stay {
    seat: Seat,
    channel: ChannelHandle,
    roster: Roster,
    had_company: bool,

    beating: InFlight<Result<(), RoomError>>,
    next_beat: Instant,
    beat_started: Instant,
    beat_backoff: Backoff,

    looking: InFlight<Result<(Room, Me), RoomError>>,
    next_look: Instant,
    look_started: Instant,
    look_backoff: Backoff,
    look_failing_since: Option<Instant>,
    /// Whether a change was announced after the look under way had begun.
    look_again: bool,
    /// End of the time in which no member counts as gone.
    keep_absent_until: Instant,

    recovering: InFlight<Result<Recovery, RoomError>>,
    next_recovery: Option<Instant>,
    recovery_backoff: Backoff,
    refusals: u32,
    vanished: Window,
    removed: Window,
    /// Last moment at which the server knew us as a member.
    known_at: Instant,
    /// Number of logins at that moment.
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
            look_started: now,
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
            channel: seat.channel.clone(),
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
                    self.look_soon();
                    None
                }
                () = self.channel.changed() => {
                    self.next_look = self.next_look.min(Instant::now() + self.poll_pause());
                    if !self.channel.announces() {
                        self.look_soon();
                    }
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
        self.next_beat = now + self.seat.timings.heartbeat_pause(rand::random());
        let seat = self.seat.clone();
        self.beating = Some(Box::pin(async move { seat.heartbeat().await }));
    }

    fn look_soon(&mut self) {
        self.look_again = true;
        self.next_look = Instant::now().max(self.look_started + LOOK_SPACING);
    }

    fn start_look(&mut self) {
        self.look_again = false;
        self.look_started = Instant::now();
        let seat = self.seat.clone();
        self.looking = Some(Box::pin(async move { seat.look().await }));
    }

    fn start_recovery(&mut self) {
        if self.recovering.is_some() || self.next_recovery.is_some() {
            return;
        }
        let now = Instant::now();
        let facts = Facts {
            role: self.seat.room().role,
            relogged_in: false,
            silent: now - self.known_at,
            had_company: self.had_company,
            notice: self.channel.take_notice(),
            vanished: self.vanished.count(now),
            removed: self.removed.count(now),
        };
        let (seat, logins_seen) = (self.seat.clone(), self.logins_seen);
        self.recovering = Some(Box::pin(
            async move { seat.recover(facts, logins_seen).await },
        ));
    }

    /// Takes note that the server knows us as a member.
    fn note_membership(&mut self) {
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
            self.note_membership();
            return None;
        };
        match error.class() {
            ErrorClass::ReAdd | ErrorClass::RoomGone => self.start_recovery(),
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
                self.grant_return(now);
                if me.listed {
                    // An end that was announced did not concern us.
                    let _ = self.channel.take_notice();
                    self.announce(&room, &me.user_id, now).await;
                } else {
                    self.start_recovery();
                }
            }
            Err(error) if error.class() == ErrorClass::RoomGone => {
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
            LOOK_SPACING.saturating_sub(self.look_started.elapsed())
        } else {
            self.poll_pause()
        }
    }

    /// Pause between two looks that nobody asked for.
    fn poll_pause(&self) -> Duration {
        let timings = &self.seat.timings;
        if self.channel.announces() {
            timings.safety_poll.max(timings.poll)
        } else {
            timings.poll
        }
    }

    /// Gives the others time to come back after the server was away for long: it may have
    /// dropped them as it dropped us.
    fn grant_return(&mut self, now: Instant) {
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
        if diff != Diff::default() {
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
        self.note_membership();
        self.keep_absent_until = now + self.seat.timings.return_grace;
        self.next_look = now;
        self.seat.link.outbox.note(|snapshot| snapshot.re_adds += 1);
        log::info!(room_id:% = self.seat.room().room_id; "back in the room");
        None
    }

    fn on_failed_recovery(&mut self, error: &RoomError, now: Instant) -> Option<RoomEvent> {
        if is_takeover(error) {
            return Some(kicked(KickedReason::LoginTakenOver));
        }
        let reason = error.reason();
        match error.class() {
            ErrorClass::Full => return Some(closed(ClosedReason::Full)),
            ErrorClass::Fatal => return Some(closed(ClosedReason::Refused(reason))),
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
