//! Carries out what the state machine decides: turns what room and media report into events,
//! lets the machine decide on them, and publishes its state. It never waits for any work itself.

use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::command::{Command, Outgoing};
use super::devices::Devices;
use super::event::Event;
use super::facts::Facts;
use super::handle::Request;
use super::history::History;
use super::outcome::{NumberedOutcome, Outcome, Reporter};
use super::page::page;
use super::runner::Runner;
use super::settings::Settings;
use super::state::State;
use super::states::Starting;
use super::status::Status;
use super::transition::Transition;
use super::translate;
use crate::config::kiosk::Role;
use crate::display::DisplayHandle;
use crate::media::{Cameras, codecs};
use crate::protocol::events::{PlayCode, PushCode};
use crate::room::{RoomEvent, RoomHandle};

pub(super) struct Shell {
    runner: Runner,
    facts: Facts,
    state: State,
    in_state_since: Instant,
    wake_at: Option<Instant>,
    transitions: watch::Sender<Transition>,
    history: History,
}

impl Shell {
    pub(super) fn new(
        settings: Settings,
        room: RoomHandle,
        display: Option<DisplayHandle>,
        transitions: watch::Sender<Transition>,
        outcomes: mpsc::Sender<NumberedOutcome>,
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
            runner: Runner::new(settings, room, display, Reporter::new(outcomes)),
            facts,
            state: State::Starting(Starting),
            in_state_since: now,
            wake_at: None,
            transitions,
            history: History::new(),
        }
    }

    /// Runs until `stop`; then leaves the room in good order.
    pub(super) async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        mut room_events: mpsc::Receiver<RoomEvent>,
        mut outcomes: mpsc::Receiver<NumberedOutcome>,
        stop: CancellationToken,
    ) {
        self.publish();
        loop {
            let wake_at = self.wake_at;
            tokio::select! {
                () = stop.cancelled() => break,
                Some(request) = requests.recv() => self.answer(request),
                Some(event) = room_events.recv() => self.handle_room_event(event),
                Some((call, outcome)) = outcomes.recv() => {
                    if self.runner.reporter.is_of_call(call) {
                        self.handle_outcome(outcome);
                    }
                }
                () = async { sleep_until(wake_at.unwrap_or_else(Instant::now).into()).await },
                    if wake_at.is_some() =>
                {
                    self.wake_at = None;
                    self.handle(Event::Wake);
                }
            }
        }
        self.runner.leave_and_wait().await;
    }

    fn answer(&mut self, request: Request) {
        // Whoever asked may have gone.
        match request {
            Request::Command(command, reply) => {
                let accepted = self.state.accepts(&command);
                let obey = accepted.is_ok();
                let _ = reply.send(accepted);
                if obey {
                    self.obey(command);
                }
            }
            Request::Send(message, reply) => self.send(message, reply),
            Request::Cameras(reply) => {
                let _ = reply.send(self.cameras());
            }
            Request::Status(reply) => {
                let _ = reply.send(self.status());
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Host => self.facts.role = Role::Host,
            Command::Enter(_) => self.facts.role = Role::Guest,
            _ => {}
        }
        self.handle(Event::Command(command));
    }

    fn cameras(&self) -> Result<Cameras, String> {
        self.state.accepts_camera_work()?;
        let devices = self.runner.call.devices.as_ref();
        let devices = devices.ok_or("the cameras are not open yet")?;
        Ok(devices.capture.cameras())
    }

    /// Sends a message beside the session; `reply` gets the result.
    fn send(&self, message: Outgoing, reply: oneshot::Sender<Result<(), String>>) {
        if let Err(refused) = self.state.accepts_message(&message) {
            // Whoever asked may have gone.
            let _ = reply.send(Err(refused));
            return;
        }
        let room = self.runner.room.clone();
        tokio::spawn(async move {
            let sent = match message {
                Outgoing::Text(text) => room.send_text(&text).await,
                Outgoing::Custom { cmd, msg } => room.send_custom(&cmd, &msg).await,
                Outgoing::C2c { to, cmd, msg } => room.send_c2c(&to, &cmd, &msg).await,
            };
            let _ = reply.send(sent.map_err(|error| error.reason()));
        });
    }

    fn handle_room_event(&mut self, event: RoomEvent) {
        if let Some(message) = translate::message(&event) {
            self.history.keep_message(message);
        }
        if let RoomEvent::ChannelDown { reason } = &event {
            self.history
                .note(&format!("message channel down: {reason}"));
        }
        if let Some(event) = translate::room(event) {
            self.handle(event);
        }
    }

    fn handle_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Event(event) => self.handle(event),
            Outcome::Devices(opened) => {
                let ready = self.runner.take_devices(*opened);
                if let Err(reason) = &ready {
                    self.history.note(&format!("no devices: {reason}"));
                }
                self.handle(Event::CaptureReady(ready));
            }
            Outcome::PushUrl(Ok(url)) => {
                self.runner.call.push_url = Some(url);
                self.handle(Event::PushUrl(Ok(())));
            }
            Outcome::PushUrl(Err(error)) => {
                self.handle(Event::PushUrl(Err(translate::failure(&error))));
            }
            // Figures are in the status by themselves; here they would crowd out what happened.
            Outcome::Push(event) if event.code == PushCode::NetStatus => {}
            Outcome::Play(_, event) if event.code == PlayCode::NetStatus => {}
            Outcome::Push(event) => {
                let note = format!("push {} {}", event.code, event.message);
                self.history.note(&note);
                if let Some(event) = translate::push(&event) {
                    self.handle(event);
                }
            }
            Outcome::Play(user_id, event) => {
                let note = format!("play {user_id} {} {}", event.code, event.message);
                self.history.note(&note);
                if let Some(event) = translate::play(user_id, &event) {
                    self.handle(event);
                }
            }
        }
    }

    /// Lets the machine decide on an event, carries out what it decides, and publishes its state.
    fn handle(&mut self, event: Event) {
        match &event {
            Event::ServerReachable | Event::LoggedIn => self.facts.server = Ok(()),
            event => {
                if let Some(fault) = event.server_fault() {
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
            self.facts.count_failure(&self.state.transition());
            if matches!(self.state, State::Attract(_)) {
                self.facts.role = self.runner.settings.role;
            }
        }
        for action in next.actions {
            match action {
                Action::WakeIn(period) => self.wake_at = Some(self.facts.now + period),
                action => self.runner.carry_out(action, self.facts.role),
            }
        }
        self.publish();
    }

    /// Shows the state, and publishes and logs it when it has changed.
    fn publish(&mut self) {
        let transition = self.state.transition();
        if let Some(display) = &self.runner.display {
            display.show(page(&transition));
        }
        let summary = transition.to_string();
        let mut is_news = false;
        self.transitions.send_if_modified(|published| {
            let changed = *published != transition;
            is_news = changed && published.to_string() != summary;
            *published = transition;
            changed
        });
        if is_news {
            log::info!(state = summary.as_str(); "session: {summary}");
            self.history.note(&summary);
        }
    }

    fn screen_ms(&self) -> Option<f64> {
        let micros = self.runner.display.as_ref()?.stats().show.as_micros();
        Some((micros / 100) as f64 / 10.0)
    }

    fn status(&self) -> Status {
        let (runner, call) = (&self.runner, &self.runner.call);
        let devices = call.devices.as_ref();
        let uplink = call.uplink.as_ref();
        Status {
            warnings: runner.settings.warnings.clone(),
            session: self.state.transition(),
            in_state_seconds: self.in_state_since.elapsed().as_secs_f64(),
            room: runner.room.snapshot().borrow().clone(),
            devices: devices.map(Devices::status),
            uplink: uplink.map(|uplink| uplink.stats().borrow().clone()),
            screen_ms: self.screen_ms(),
            downlinks: call.downlink_stats(),
            echo: devices.map(|devices| devices.capture.echo().status()),
            codecs: codecs::known(),
            messages: self.history.messages(),
            events: self.history.events(),
        }
    }
}
