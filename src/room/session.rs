//! The owner of everything that is said to a room server: takes commands through
//! [`RoomHandle`], keeps the login alive, and runs one stay in a room at a time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::protocol::answer::Room;

use super::client::{Created, Identity, RoomClient, SetupError};
use super::error::RoomError;
use super::event::{ClosedReason, Outbox, RoomEvent, RoomSnapshot};
use super::idle_room;
use super::im::{self, ChannelHandle};
use super::link::Link;
use super::membership::{Slot, StayEnd, in_flight, stay};
use super::seat::Seat;
pub use super::settings::{EnterRoom, SessionSettings, Timings};
pub use crate::config::kiosk::Credentials;
use crate::process::backoff::{Backoff, jittered};

/// Commands that wait, and requests that run, at the same time.
const MAX_COMMANDS: usize = 8;

/// For a command that is one request: a login, the request, and both again.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);

type Reply<T> = oneshot::Sender<Result<T, RoomError>>;

#[derive(Debug)]
enum Command {
    ListRooms(Reply<Vec<Room>>),
    FindIdleRoom(Reply<Option<Room>>),
    GetPushUrl(String, Reply<String>),
    CreateRoom {
        room_id: String,
        room_info: String,
        reply: Reply<Created>,
    },
    Enter(EnterRoom, Reply<()>),
    Leave(Reply<()>),
    Logout(Reply<()>),
    Stop(Reply<()>),
}

/// Starts room sessions.
#[derive(Debug)]
pub struct RoomSession;

impl RoomSession {
    /// Starts the session's task, which logs in and stays logged in; an unreachable server is
    /// tried again for ever. Must be called within a tokio runtime.
    ///
    /// Events go to `events`; one that is not taken within a second is dropped.
    ///
    /// # Errors
    /// Wrong settings.
    pub fn start(
        settings: &SessionSettings,
        credentials: Credentials,
        events: mpsc::Sender<RoomEvent>,
    ) -> Result<RoomHandle, SetupError> {
        let client = RoomClient::new(&settings.client)?;
        let link = Arc::new(Link::new(client, credentials, Outbox::new(events)));
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
        };
        tokio::spawn(owner.run(commands));
        Ok(handle)
    }
}

/// Commands to a room session. When the last clone is dropped the session ends at once, without
/// a word to the server.
#[derive(Debug, Clone)]
pub struct RoomHandle {
    commands: mpsc::Sender<Command>,
    snapshot: watch::Receiver<RoomSnapshot>,
    refresh: Arc<Notify>,
    channel: ChannelHandle,
}

impl RoomHandle {
    /// All active rooms.
    ///
    /// # Errors
    /// As every request: within 15 s, [`RoomError::class`] tells what to do.
    pub async fn list_rooms(&self) -> Result<Vec<Room>, RoomError> {
        self.send(Command::ListRooms).await
    }

    /// The room of an agent who waits, if there is one; see [`idle_room::choose`].
    ///
    /// # Errors
    /// As every request.
    pub async fn find_idle_room(&self) -> Result<Option<Room>, RoomError> {
        self.send(Command::FindIdleRoom).await
    }

    /// A URL to push to, for a stay in that room.
    ///
    /// # Errors
    /// As every request.
    pub async fn get_push_url(&self, room_id: &str) -> Result<String, RoomError> {
        let room_id = room_id.to_owned();
        self.send(|reply| Command::GetPushUrl(room_id, reply)).await
    }

    /// Reserves a room; an empty id lets the server invent one. The server may take it back if
    /// nobody enters within 30 s, so [`Role::Host`](super::Role) reserves it again on entering.
    ///
    /// # Errors
    /// As every request, and a `room_info` over 1024 bytes.
    pub async fn create_room(&self, room_id: &str, room_info: &str) -> Result<Created, RoomError> {
        let (room_id, room_info) = (room_id.to_owned(), room_info.to_owned());
        self.send(|reply| Command::CreateRoom {
            room_id,
            room_info,
            reply,
        })
        .await
    }

    /// Enters a room; from then on heartbeats are sent and members announced, until `leave` or
    /// an event says that it is over. In the same room already, it tells the room the new push
    /// URL or name.
    ///
    /// # Errors
    /// As every request, within 20 s and after three tries; class `RoomGone` or `Full` when
    /// somebody else was faster; [`RoomError::LeftMeanwhile`] when `leave`, or a newer push URL, came in between.
    pub async fn enter(&self, room: EnterRoom) -> Result<(), RoomError> {
        match self.send(|reply| Command::Enter(room, reply)).await {
            Err(RoomError::Stopped) if !self.commands.is_closed() => Err(RoomError::LeftMeanwhile),
            other => other,
        }
    }

    /// Leaves the room we are in or about to enter; in none it is a no-op.
    ///
    /// # Errors
    /// When the server did not confirm it within 2 s; we have left all the same, and the
    /// server will notice that heartbeats are missing.
    pub async fn leave(&self) -> Result<(), RoomError> {
        self.send(Command::Leave).await
    }

    /// Leaves the room and gives the login back; the next command logs in again.
    ///
    /// # Errors
    /// Only when the session has stopped.
    pub async fn logout(&self) -> Result<(), RoomError> {
        self.send(Command::Logout).await
    }

    /// Leaves, logs out and ends the session, within about 4 s.
    ///
    /// # Errors
    /// Only when the session has stopped before.
    pub async fn stop(&self) -> Result<(), RoomError> {
        self.send(Command::Stop).await
    }

    /// Looks at the member list now: for whoever learns of a change by another way.
    pub fn refresh(&self) {
        self.refresh.notify_one();
    }

    /// Says a text to everybody in the room, in order with what was sent before.
    ///
    /// # Errors
    /// [`RoomError::Im`] within 10 s: no room, no message channel, or over 8898 bytes. What
    /// was not confirmed is not sent again.
    pub async fn send_text(&self, text: &str) -> Result<(), RoomError> {
        Ok(self.channel.send_text(text).await?)
    }

    /// Sends a command to the programs of everybody in the room.
    ///
    /// # Errors
    /// As `send_text`.
    pub async fn send_custom(&self, cmd: &str, msg: &str) -> Result<(), RoomError> {
        Ok(self.channel.send_custom(cmd, msg).await?)
    }

    /// Sends a command to one user, who need not be in the room.
    ///
    /// # Errors
    /// As `send_text`, but up to 12000 bytes and without a room too.
    pub async fn send_c2c(&self, to: &str, cmd: &str, msg: &str) -> Result<(), RoomError> {
        Ok(self.channel.send_c2c(to, cmd, msg).await?)
    }

    /// The session's state, to be read or watched.
    #[must_use]
    pub fn snapshot(&self) -> watch::Receiver<RoomSnapshot> {
        self.snapshot.clone()
    }

    async fn send<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, RoomError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| RoomError::Stopped)?;
        answer.await.unwrap_or(Err(RoomError::Stopped))
    }
}

/// A stay in a room, under way.
#[derive(Debug)]
struct RunningStay {
    seat: Seat,
    task: AbortOnDropHandle<StayEnd>,
    /// Telling the room a new push URL; ends with the stay, so that it cannot enter again.
    renewal: Option<AbortOnDropHandle<()>>,
}

struct Owner {
    link: Arc<Link>,
    timings: Timings,
    capacity: usize,
    /// Requests of commands; aborted with the owner.
    jobs: JoinSet<()>,
    stay: Option<RunningStay>,
    refresh: Arc<Notify>,
    channel: ChannelHandle,
    /// Keeps the login and tells whether the server is there, while no stay does.
    probe: Slot<Result<(), RoomError>>,
    /// None after a logout.
    next_probe: Option<Instant>,
    probe_backoff: Backoff,
}

impl Owner {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let may_probe = self.probe.is_none() && self.stay.is_none();
            let probe_due = self.next_probe.unwrap_or_else(Instant::now);
            tokio::select! {
                command = commands.recv(), if self.jobs.len() < MAX_COMMANDS => match command {
                    None => return,
                    Some(Command::Stop(reply)) => {
                        self.logout().await;
                        let _ = reply.send(Ok(()));
                        return;
                    }
                    Some(command) => self.obey(command).await,
                },
                Some(_) = self.jobs.join_next() => {}
                result = in_flight(&mut self.probe) => self.on_probe(result),
                end = stay_end(&mut self.stay) => self.on_stay_end(end).await,
                () = sleep_until(probe_due), if may_probe && self.next_probe.is_some() => {
                    self.start_probe();
                }
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        if self.next_probe.is_none() && !matches!(command, Command::Leave(_) | Command::Logout(_)) {
            self.next_probe = Some(Instant::now() + self.timings.idle_probe);
            self.channel.wake().await;
        }
        match command {
            Command::ListRooms(reply) => self.spawn(reply, |client, me| async move {
                client.get_room_list(&me).await
            }),
            Command::FindIdleRoom(reply) => {
                let capacity = self.capacity;
                self.spawn(reply, move |client, me| async move {
                    let rooms = client.get_room_list(&me).await?;
                    Ok(idle_room::choose(&rooms, &me.user_id, capacity).cloned())
                });
            }
            Command::GetPushUrl(room_id, reply) => self.spawn(reply, move |client, me| {
                let room_id = room_id.clone();
                async move { client.get_push_url(&me, &room_id).await }
            }),
            Command::CreateRoom {
                room_id,
                room_info,
                reply,
            } => self.spawn(reply, move |client, me| {
                let (room_id, room_info) = (room_id.clone(), room_info.clone());
                async move { client.create_room(&me, &room_id, &room_info).await }
            }),
            Command::Enter(room, reply) => self.enter(room, reply),
            Command::Leave(reply) => {
                let left = self.leave().await;
                let _ = reply.send(left);
            }
            Command::Logout(reply) | Command::Stop(reply) => {
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
            // Fails when the asker has gone, and then nobody needs the answer.
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
        // It would stand still here, and might be in the middle of a login that leaving needs.
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
