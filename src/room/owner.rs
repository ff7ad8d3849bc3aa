//! The owner of everything that is said to a room server: obeys the commands of
//! [`RoomHandle`], keeps the login alive, and runs one stay in a room at a time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::client::{Identity, RoomClient};
use super::client_settings::SetupError;
use super::error::RoomError;
use super::event::{ClosedReason, Outbox, RoomEvent};
use super::handle::{Reply, RoomCommand, RoomHandle};
use super::idle_room;
use super::im::{self, ChannelHandle};
use super::in_flight::{InFlight, in_flight};
use super::link::Link;
use super::membership::{StayEnd, stay};
use super::renewal;
use super::seat::Seat;
use super::session_settings::{EnterRoom, SessionSettings, Timings};
use crate::config::kiosk::Credentials;
use crate::process::backoff::{Backoff, jittered};

/// Maximum number of commands that wait, and of requests that run at the same time.
const MAX_COMMANDS: usize = 8;

/// Time after the start at which the userSig is first looked at: the login is done by then.
const FIRST_RENEWAL: Duration = Duration::from_secs(3);

/// Limit for a command that is one request, with the logins that it needs: three times the 5 s
/// of a whole exchange.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);

/// Starts room sessions.
#[derive(Debug)]
pub struct RoomSession;

impl RoomSession {
    /// Starts the session's task, which logs in and stays logged in; an unreachable server is
    /// asked again for ever. Must be called within a tokio runtime.
    ///
    /// Events go to `events`; one that is not taken within a second is dropped.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub fn start(
        settings: &SessionSettings,
        credentials: Credentials,
        events: mpsc::Sender<RoomEvent>,
    ) -> Result<RoomHandle, SetupError> {
        let client = RoomClient::new(&settings.client)?;
        let link = Arc::new(Link::new(
            client,
            credentials,
            settings.sig_file.clone(),
            Outbox::new(events),
        ));
        let (sender, commands) = mpsc::channel(MAX_COMMANDS);
        let refresh = Arc::new(Notify::new());
        let im = settings.im.as_ref();
        let channel = im::start(im, &settings.client, link.clone(), refresh.clone())?;
        let handle = RoomHandle {
            commands: sender,
            snapshot: link.outbox.subscribe(),
            refresh: refresh.clone(),
            channel: channel.clone(),
        };
        let owner = Owner {
            probe_backoff: settings.timings.backoff(),
            timings: settings.timings.clone(),
            capacity: settings.capacity,
            link,
            jobs: JoinSet::new(),
            stay: None,
            refresh,
            channel,
            probe: None,
            next_probe: Some(Instant::now()),
            renewal: None,
            next_renewal: Instant::now() + FIRST_RENEWAL,
            renewal_backoff: Backoff::endless(renewal::RETRY.0, renewal::RETRY.1),
        };
        tokio::spawn(owner.run(commands));
        Ok(handle)
    }
}

/// A stay in a room that is under way.
#[derive(Debug)]
struct RunningStay {
    seat: Seat,
    task: AbortOnDropHandle<StayEnd>,
    /// The task that renews the push URL; ends with the stay, so that it cannot enter again.
    renewal: Option<AbortOnDropHandle<()>>,
}

struct Owner {
    link: Arc<Link>,
    timings: Timings,
    capacity: usize,
    /// Requests for commands; aborted with the owner.
    jobs: JoinSet<()>,
    stay: Option<RunningStay>,
    refresh: Arc<Notify>,
    channel: ChannelHandle,
    /// The request that, outside a stay, keeps the login and shows whether the server is there.
    probe: InFlight<Result<(), RoomError>>,
    /// None after a logout.
    next_probe: Option<Instant>,
    probe_backoff: Backoff,
    renewal: InFlight<Result<bool, RoomError>>,
    next_renewal: Instant,
    renewal_backoff: Backoff,
}

impl Owner {
    async fn run(mut self, mut commands: mpsc::Receiver<RoomCommand>) {
        loop {
            let may_probe = self.probe.is_none() && self.stay.is_none();
            let probe_due = self.next_probe.unwrap_or_else(Instant::now);
            tokio::select! {
                command = commands.recv(), if self.jobs.len() < MAX_COMMANDS => match command {
                    None => return,
                    Some(RoomCommand::Stop(reply)) => {
                        self.logout().await;
                        let _ = reply.send(Ok(()));
                        return;
                    }
                    Some(command) => self.obey(command).await,
                },
                Some(_) = self.jobs.join_next() => {}
                result = in_flight(&mut self.probe) => self.on_probe(result),
                result = in_flight(&mut self.renewal) => self.on_renewal(result),
                () = sleep_until(self.next_renewal), if self.renewal.is_none() => {
                    self.start_renewal();
                }
                end = stay_end(&mut self.stay) => self.on_stay_end(end).await,
                () = sleep_until(probe_due), if may_probe && self.next_probe.is_some() => {
                    self.start_probe();
                }
            }
        }
    }

    async fn obey(&mut self, command: RoomCommand) {
        if self.next_probe.is_none()
            && !matches!(command, RoomCommand::Leave(_) | RoomCommand::Logout(_))
        {
            self.next_probe = Some(Instant::now() + self.timings.idle_probe);
            self.channel.wake().await;
        }
        match command {
            RoomCommand::ListRooms(reply) => self.spawn(reply, |client, me| async move {
                client.get_room_list(&me).await
            }),
            RoomCommand::FindIdleRoom(search, reply) => {
                let (search, capacity) = (Arc::new(search), self.capacity);
                self.spawn(reply, move |client, me| {
                    let search = Arc::clone(&search);
                    async move { idle_room::find(&client, &me, &search, capacity).await }
                });
            }
            RoomCommand::GetPushUrl(room_id, reply) => self.spawn(reply, move |client, me| {
                let room_id = room_id.clone();
                async move { client.get_push_url(&me, &room_id).await }
            }),
            RoomCommand::CreateRoom {
                room_id,
                room_info,
                reply,
            } => self.spawn(reply, move |client, me| {
                let (room_id, room_info) = (room_id.clone(), room_info.clone());
                async move { client.create_room(&me, &room_id, &room_info).await }
            }),
            RoomCommand::Enter(room, reply) => self.enter(room, reply),
            RoomCommand::Leave(reply) => {
                let left = self.leave().await;
                let _ = reply.send(left);
            }
            RoomCommand::Logout(reply) | RoomCommand::Stop(reply) => {
                self.logout().await;
                let _ = reply.send(Ok(()));
            }
        }
    }

    /// Runs a request beside the others.
    fn spawn<T, F, R>(&mut self, reply: Reply<T>, request: F)
    where
        T: Send + 'static,
        F: Fn(RoomClient, Arc<Identity>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, RoomError>> + Send + 'static,
    {
        let link = self.link.clone();
        self.jobs.spawn(async move {
            // Fails when nobody waits for the answer any more.
            let _ = reply.send(link.ask(REQUEST_DEADLINE, request).await);
        });
    }

    fn enter(&mut self, room: EnterRoom, reply: Reply<()>) {
        let current = self.stay.as_ref().map(|stay| stay.seat.room());
        match current {
            Some(current) if current.room_id == room.room_id => self.renew(room, reply),
            Some(current) => {
                let room_id = current.room_id.clone();
                let _ = reply.send(Err(RoomError::AlreadyInRoom { room_id }));
            }
            None if room.room_id.is_empty() => {
                let _ = reply.send(Err(RoomError::MissingRoomId));
            }
            None => {
                let seat = Seat {
                    link: self.link.clone(),
                    room: Arc::new(Mutex::new(Arc::new(room))),
                    timings: self.timings.clone(),
                    refresh: self.refresh.clone(),
                    channel: self.channel.clone(),
                };
                let task = AbortOnDropHandle::new(tokio::spawn(stay(seat.clone(), reply)));
                self.stay = Some(RunningStay {
                    seat,
                    task,
                    renewal: None,
                });
            }
        }
    }

    fn renew(&mut self, room: EnterRoom, reply: Reply<()>) {
        if let Some(stay) = &mut self.stay {
            let seat = stay.seat.clone();
            stay.renewal = Some(AbortOnDropHandle::new(tokio::spawn(async move {
                let _ = reply.send(seat.renew(room).await);
            })));
        }
    }

    /// Ends the stay, then tells the server, so that nothing enters again behind our back.
    async fn leave(&mut self) -> Result<(), RoomError> {
        // The probe would stand still here, perhaps in the middle of a login that leaving needs.
        self.probe = None;
        let Some(RunningStay {
            seat,
            task,
            renewal,
        }) = self.stay.take()
        else {
            return Ok(());
        };
        // Cancelled, or ended by itself a moment ago: both are fine.
        task.abort();
        let _ = task.await;
        if let Some(renewal) = renewal {
            renewal.abort();
            let _ = renewal.await;
        }
        self.clear_stay();
        let room_id = &seat.room().room_id;
        let left = self
            .link
            .ask(self.timings.leave_deadline, |client, me| async move {
                client.delete_pusher(&me, room_id).await
            })
            .await;
        self.channel.quit(room_id).await;
        left.inspect_err(|error| log::warn!(reason = error.reason(); "leaving was not confirmed"))
    }

    async fn logout(&mut self) {
        // Not confirmed is as good as left; it was logged.
        let _ = self.leave().await;
        self.next_probe = None;
        let limit = self.timings.leave_deadline;
        if timeout(limit, self.channel.logout()).await.is_err() {
            log::warn!("logout of the message service took too long");
        }
        self.link.logout(self.timings.leave_deadline).await;
    }

    async fn on_stay_end(&mut self, end: Result<StayEnd, JoinError>) {
        self.quit_group().await;
        self.clear_stay();
        let event = match end {
            Ok(StayEnd::NotEntered(error, entered)) => {
                let _ = entered.send(Err(error));
                return;
            }
            Ok(StayEnd::Lost(event)) => event,
            // A panic is our bug; the call must not go on without heartbeats.
            Err(error) => {
                log::error!(error:% = error; "the room task died");
                let reason = ClosedReason::Refused("internal error".into());
                RoomEvent::RoomClosed { reason }
            }
        };
        log::warn!(event:? = event; "the room is lost");
        self.link.outbox.emit(event).await;
    }

    async fn quit_group(&mut self) {
        if let Some(stay) = &self.stay {
            let room = stay.seat.room();
            self.channel.quit(&room.room_id).await;
        }
    }

    fn clear_stay(&mut self) {
        self.stay = None;
        self.next_probe = Some(Instant::now() + self.timings.idle_probe);
        self.link.outbox.note(|snapshot| {
            snapshot.room_id = None;
            snapshot.members.clear();
        });
    }

    fn start_probe(&mut self) {
        let link = self.link.clone();
        self.probe = Some(Box::pin(async move {
            link.ask(REQUEST_DEADLINE, |client, me| async move {
                client.get_room_page(&me, 0, 1).await.map(drop)
            })
            .await
        }));
    }

    fn start_renewal(&mut self) {
        self.next_renewal = Instant::now() + jittered(renewal::LOOK, rand::random());
        // Nobody is logged in again for this.
        if self.next_probe.is_none() {
            return;
        }
        let link = self.link.clone();
        self.renewal = Some(Box::pin(async move {
            link.renew_if_due(REQUEST_DEADLINE).await
        }));
    }

    fn on_renewal(&mut self, result: Result<bool, RoomError>) {
        match result {
            Ok(_) => self.renewal_backoff.reset(),
            Err(error) => {
                let pause = self.renewal_backoff.next_pause(rand::random());
                log::warn!(reason = error.reason(), pause:? = pause; "the userSig is not renewed");
                self.next_renewal = self.next_renewal.min(Instant::now() + pause);
            }
        }
    }

    fn on_probe(&mut self, result: Result<(), RoomError>) {
        let pause = match result {
            Ok(()) => {
                self.probe_backoff.reset();
                jittered(self.timings.idle_probe, rand::random())
            }
            Err(error) => {
                let pause = self.probe_backoff.next_pause(rand::random());
                log::warn!(reason = error.reason(), pause:? = pause; "no room server; trying again");
                pause
            }
        };
        self.next_probe = Some(Instant::now() + pause);
    }
}

/// Waits until the stay ends by itself.
async fn stay_end(stay: &mut Option<RunningStay>) -> Result<StayEnd, JoinError> {
    match stay {
        Some(stay) => (&mut stay.task).await,
        None => std::future::pending().await,
    }
}
