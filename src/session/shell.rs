//! Carries out what the state machine decides: turns what room and media report into events,
//! lets the machine decide on them, and publishes its state. It never waits for any work itself.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, sleep_until};
use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::devices::Devices;
use super::event::Event;
use super::facts::Facts;
use super::handle::Question;
use super::history::History;
use super::outcome::{NumberedOutcome, Outcome, Reporter};
use super::page::page;
use super::request::Request;
use super::runner::Runner;
use super::settings::Settings;
use super::snapshot_dir;
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

/// Time between two looks whether the devices of a call work: a fault shows within 3 s.
const LOOK_AT_DEVICES: Duration = Duration::from_secs(1);

/// The place for the answer to a request.
type Reply = oneshot::Sender<Result<(), String>>;

fn answer_later(reply: Reply, work: impl Future<Output = Result<(), String>> + Send + 'static) {
    tokio::spawn(async move { reply.send(work.await) });
}

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
            waiting_since: None,
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
        mut questions: mpsc::Receiver<Question>,
        mut room_events: mpsc::Receiver<RoomEvent>,
        mut outcomes: mpsc::Receiver<NumberedOutcome>,
        stop: CancellationToken,
    ) {
        self.publish();
        let mut look = tokio::time::interval(LOOK_AT_DEVICES);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wake_at = self.wake_at;
            tokio::select! {
                () = stop.cancelled() => break,
                Some(question) = questions.recv() => self.answer(question),
                Some(event) = room_events.recv() => self.handle_room_event(event),
                _ = look.tick(), if matches!(self.state, State::InCall(_)) => self.look_at_devices(),
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

    /// Notes when a device of the call stops working, or works again.
    fn look_at_devices(&mut self) {
        let devices = self.runner.call.devices.as_ref();
        let sound = devices.map(Devices::sound).unwrap_or_default();
        if let State::InCall(call) = &self.state
            && call.devices() != sound
        {
            self.handle(Event::OwnDevices(sound));
        }
    }

    fn answer(&mut self, question: Question) {
        // Whoever asked may have gone.
        match question {
            Question::Status(reply) => drop(reply.send(self.status())),
            Question::Request(request, reply) => match self.state.accepts(&request) {
                Ok(()) => self.carry_out(request, reply),
                Err(refusal) => drop(reply.send(Err(refusal))),
            },
        }
    }

    /// Carries out a request that makes sense now; what takes its time is done beside the session.
    fn carry_out(&mut self, request: Request, reply: Reply) {
        let room = self.runner.room.clone();
        match request {
            Request::Camera { name } => self.with_cameras(reply, async move |cameras| {
                let switched = cameras.switch(&name).await;
                switched.map_err(|error| error.to_string())
            }),
            Request::Snapshot { path, camera } => {
                let dir = self.runner.settings.snapshot_dir.clone();
                self.with_cameras(reply, async move |cameras| {
                    let path = snapshot_dir::resolve(dir, path).await?;
                    let written = cameras.snapshot(camera.as_deref(), &path).await;
                    written.map_err(|error| error.to_string())
                });
            }
            Request::Message { text } => answer_later(reply, async move {
                let sent = room.send_text(&text).await;
                sent.map_err(|error| error.reason())
            }),
            Request::Custom { cmd, msg, to } => answer_later(reply, async move {
                let sent = match to {
                    Some(to) => room.send_c2c(&to, &cmd, &msg).await,
                    None => room.send_custom(&cmd, &msg).await,
                };
                sent.map_err(|error| error.reason())
            }),
            request => {
                match request {
                    Request::Host => self.facts.role = Role::Host,
                    Request::Enter { .. } => self.facts.role = Role::Guest,
                    _ => {}
                }
                let _ = reply.send(Ok(()));
                self.handle(Event::Request(request));
            }
        }
    }

    fn with_cameras<F>(&self, reply: Reply, work: impl FnOnce(Cameras) -> F)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        match &self.runner.call.devices {
            Some(devices) => answer_later(reply, work(devices.capture.cameras())),
            None => drop(reply.send(Err("the cameras are not open yet".to_owned()))),
        }
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
            self.facts.note(&self.state.transition());
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
