//! Carries out what the state machine decides: owns the running things of a call, turns what
//! room and media report into events, and never waits for any of them itself.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::call::{Call, Devices};
use super::handle::{Received, Request};
use super::out_of_service::OutOfService;
use super::starting::Starting;
use super::translate;
use super::{Action, Command, Event, Facts, Outgoing, Settings, State, Status, Transition};
use crate::config::kiosk::Role;
use crate::display::DisplayHandle;
use crate::media::{PlayEvent, PushEvent, codecs};
use crate::protocol::events::{PlayCode, PushCode};
use crate::room::{RoomEvent, RoomHandle};

/// What comes back from actions and from the running things of a call.
pub(super) enum Outcome {
    Event(Event),
    /// Devices are open, or why not.
    Devices(Box<Result<Devices, crate::media::MediaError>>),
    PushUrl(Result<secrecy::SecretString, crate::room::RoomError>),
    Push(PushEvent),
    Play(String, PlayEvent),
}

/// Lines of history that `status` shows.
const HISTORY: usize = 20;
/// Events that may wait for the session; reporters wait when it is full.
pub(super) const QUEUE: usize = 256;

/// Where outcomes go, with the number of the call they belong to.
pub(super) type Outcomes = mpsc::Sender<(u64, Outcome)>;

pub(super) struct Shell {
    pub(super) settings: Settings,
    pub(super) facts: Facts,
    state: State,
    pub(super) call: Call,
    /// Counts calls: what a former call reports late is not for this one.
    pub(super) epoch: u64,
    /// Closes the former call's devices; the next call waits for it before it opens them.
    pub(super) leaving: Option<JoinHandle<()>>,
    wake_at: Option<Instant>,
    pub(super) room: RoomHandle,
    pub(super) display: Option<DisplayHandle>,
    pub(super) outcomes: Outcomes,
    transitions: watch::Sender<Transition>,
    history: VecDeque<String>,
    /// The last messages of others, oldest first.
    messages: VecDeque<Received>,
    started: Instant,
    in_state_since: Instant,
}

impl Shell {
    pub(super) fn new(
        settings: Settings,
        room: RoomHandle,
        display: Option<DisplayHandle>,
        transitions: watch::Sender<Transition>,
        outcomes: Outcomes,
    ) -> Self {
        let now = Instant::now();
        let facts = Facts {
            now,
            role: settings.role,
            patience: settings.patience,
            auto_call: settings.auto_call,
            server: Ok(()),
            failed_calls: 0,
            random: 0.0,
        };
        Self {
            settings,
            facts,
            state: Starting.into(),
            call: Call::default(),
            epoch: 0,
            leaving: None,
            wake_at: None,
            room,
            display,
            outcomes,
            transitions,
            history: VecDeque::new(),
            messages: VecDeque::new(),
            started: now,
            in_state_since: now,
        }
    }

    /// Runs until `stop`; then leaves the room in good order.
    pub(super) async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        mut room_events: mpsc::Receiver<RoomEvent>,
        mut outcomes: mpsc::Receiver<(u64, Outcome)>,
        stop: CancellationToken,
    ) {
        self.show();
        loop {
            let wake_at = self.wake_at;
            tokio::select! {
                () = stop.cancelled() => break,
                Some(request) = requests.recv() => self.answer(request),
                Some(event) = room_events.recv() => self.take_room_event(event),
                Some((epoch, outcome)) = outcomes.recv() => {
                    if epoch == self.epoch {
                        self.take(outcome);
                    }
                }
                () = async { sleep_until(wake_at.unwrap_or_else(Instant::now).into()).await },
                    if wake_at.is_some() =>
                {
                    self.wake_at = None;
                    self.tell(Event::Wake);
                }
            }
        }
        self.leave();
        if let Some(leaving) = self.leaving.take() {
            let left = tokio::time::timeout(self.settings.patience.leave, leaving).await;
            if left.is_err() {
                log::warn!("leaving the room took too long; the room server will notice");
            }
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Command(command, reply) => {
                let accepted = self.state.accepts(&command);
                let go = accepted.is_ok();
                // Whoever asked may have gone; the command counts all the same.
                let _ = reply.send(accepted);
                match command {
                    Command::Host if go => self.facts.role = Role::Host,
                    Command::Enter(_) if go => self.facts.role = Role::Guest,
                    _ => {}
                }
                if go {
                    self.tell(Event::Command(command));
                }
            }
            Request::Send(message, reply) => self.send(message, reply),
            Request::Cameras(reply) => {
                let devices = self.call.devices.as_ref();
                let cameras = self.state.accepts_camera_work().and_then(|()| {
                    let opening = || "the cameras are not open yet".to_owned();
                    Ok(devices.ok_or_else(opening)?.capture.cameras())
                });
                let _ = reply.send(cameras);
            }
            Request::Status(reply) => {
                let _ = reply.send(self.status());
            }
        }
    }

    /// Sends a message beside the session; who asked hears how it went.
    fn send(&self, message: Outgoing, reply: oneshot::Sender<Result<(), String>>) {
        if let Err(refused) = self.state.accepts_message(&message) {
            // Whoever asked may have gone.
            let _ = reply.send(Err(refused));
            return;
        }
        let room = self.room.clone();
        tokio::spawn(async move {
            let sent = match message {
                Outgoing::Text(text) => room.send_text(&text).await,
                Outgoing::Custom { cmd, msg } => room.send_custom(&cmd, &msg).await,
                Outgoing::C2c { to, cmd, msg } => room.send_c2c(&to, &cmd, &msg).await,
            };
            let _ = reply.send(sent.map_err(|error| error.reason()));
        });
    }

    fn take_room_event(&mut self, event: RoomEvent) {
        if let Some(message) = translate::message(&event) {
            if self.messages.len() == HISTORY {
                self.messages.pop_front();
            }
            let seconds = self.started.elapsed().as_secs_f64();
            self.messages.push_back(Received { seconds, ..message });
        }
        if let RoomEvent::ChannelDown { reason } = &event {
            self.remember(&format!("message channel down: {reason}"));
        }
        if let Some(event) = translate::room(event) {
            self.tell(event);
        }
    }

    fn take(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Event(event) => self.tell(event),
            Outcome::Devices(opened) => {
                let ready = self.opened(*opened);
                if let Err(reason) = &ready {
                    self.remember(&format!("no devices: {reason}"));
                }
                self.tell(Event::CaptureReady(ready));
            }
            Outcome::PushUrl(Ok(url)) => {
                self.call.push_url = Some(url);
                self.tell(Event::PushUrl(Ok(())));
            }
            Outcome::PushUrl(Err(error)) => {
                self.tell(Event::PushUrl(Err(translate::failure(&error))));
            }
            // Figures are in the status by themselves; here they would crowd out what happened.
            Outcome::Push(event) if event.code == PushCode::NetStatus => {}
            Outcome::Play(_, event) if event.code == PlayCode::NetStatus => {}
            Outcome::Push(event) => {
                self.remember(&format!("push {} {}", event.code, event.message));
                if let Some(event) = translate::push(&event) {
                    self.tell(event);
                }
            }
            Outcome::Play(user_id, event) => {
                self.remember(&format!("play {user_id} {} {}", event.code, event.message));
                if let Some(event) = translate::play(user_id, &event) {
                    self.tell(event);
                }
            }
        }
    }

    /// Tells the machine, carries out what it decides, and shows the new state.
    fn tell(&mut self, event: Event) {
        match &event {
            Event::ServerReachable | Event::LoggedIn => self.facts.server = Ok(()),
            event => {
                if let Some(fault) = OutOfService::fault_of(event) {
                    self.facts.server = Err(fault);
                }
            }
        }
        self.facts.now = Instant::now();
        self.facts.random = rand::random();
        let before = std::mem::discriminant(&self.state);
        let next = self.state.clone().handle(event, &self.facts);
        self.state = next.state;
        if std::mem::discriminant(&self.state) != before {
            self.wake_at = None;
            self.in_state_since = self.facts.now;
            self.facts.count_failure(&self.state);
            if matches!(self.state, State::Attract(_)) {
                self.facts.role = self.settings.role;
            }
        }
        for action in next.actions {
            match action {
                Action::WakeIn(period) => self.wake_at = Some(self.facts.now + period),
                action => self.carry_out(action),
            }
        }
        self.show();
    }

    /// Publishes the state when it has changed.
    fn show(&mut self) {
        let transition = self.state.transition();
        let line = transition.status_line();
        if let Some(display) = &self.display {
            display.set_status(line.clone());
        }
        // What people say to each other does not belong into a log.
        let line = transition.without_text().status_line();
        let mut news = false;
        self.transitions.send_if_modified(|shown| {
            let changed = *shown != transition;
            news = shown.without_text() != transition.without_text();
            *shown = transition;
            changed
        });
        if news {
            log::info!(state = line.as_str(); "session: {line}");
            self.remember(&line);
        }
    }

    fn remember(&mut self, line: &str) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        let seconds = self.started.elapsed().as_secs_f64();
        self.history.push_back(format!("{seconds:.1} s {line}"));
    }

    fn screen_ms(&self) -> Option<f64> {
        let micros = self.display.as_ref()?.stats().show.as_micros();
        Some((micros / 100) as f64 / 10.0)
    }

    fn status(&self) -> Status {
        Status {
            warnings: self.settings.warnings.clone(),
            session: self.state.transition(),
            in_state_seconds: self.in_state_since.elapsed().as_secs_f64(),
            room: self.room.snapshot().borrow().clone(),
            devices: self.call.devices.as_ref().map(Devices::status),
            uplink: self
                .call
                .uplink
                .as_ref()
                .map(|uplink| uplink.stats().borrow().clone()),
            screen_ms: self.screen_ms(),
            downlinks: self.call.downlink_stats(),
            echo: self
                .call
                .devices
                .as_ref()
                .map(|d| d.capture.echo().status()),
            codecs: codecs::known(),
            messages: self.messages.iter().cloned().collect(),
            events: self.history.iter().cloned().collect(),
        }
    }
}
