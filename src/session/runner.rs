//! Carries out the session's actions: starts and stops the running things of a call. None of it
//! waits; outcomes are reported.

use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::action::Action;
use super::call::{Call, Player, STOP_DEADLINE};
use super::devices::Devices;
use super::event::{Event, Found, Peer, SoundDevices};
use super::outcome::{Outcome, Reporter};
use super::passed_over::PassedOver;
use super::settings::Settings;
use super::translate;
use crate::config::kiosk::Role;
use crate::display::{DisplayHandle, MemberPicture};
use crate::media::{Downlink, DownlinkConfig, MediaError, Uplink, UplinkConfig};
use crate::room::{EnterRoom, RoomHandle, Search};

pub(super) struct Runner {
    pub settings: Settings,
    pub room: RoomHandle,
    pub display: Option<DisplayHandle>,
    pub call: Call,
    /// Of this call.
    pub reporter: Reporter,
    /// Closes the previous call's devices; the next call waits for it before it opens them.
    leaving: Option<JoinHandle<()>>,
    passed_over: PassedOver,
}

impl Runner {
    pub(super) fn new(
        settings: Settings,
        room: RoomHandle,
        display: Option<DisplayHandle>,
        reporter: Reporter,
    ) -> Self {
        Self {
            settings,
            room,
            display,
            call: Call::default(),
            reporter,
            leaving: None,
            passed_over: PassedOver::default(),
        }
    }

    /// Starts what an action says; `role` is that of the call.
    pub(super) fn carry_out(&mut self, action: Action, role: Role) {
        match action {
            Action::FindRoom => self.find_room(),
            Action::PassOver { agent } => self.passed_over.add(agent, Instant::now()),
            Action::LookAtMembers => self.room.refresh(),
            Action::CreateRoom => self.create_room(),
            Action::StartCapture => self.open_devices(),
            Action::GetPushUrl { room_id } => self.get_push_url(room_id),
            Action::StartPush => self.start_push(),
            Action::StopPush => {
                if let Some(uplink) = self.call.uplink.take() {
                    tokio::spawn(timeout(STOP_DEADLINE, uplink.stop()));
                }
            }
            Action::Enter { room_id } => self.enter(room_id, role),
            Action::Play(peer) => self.play(peer),
            Action::StopPlay { user_id } => {
                if let Some(player) = self.call.players.remove(&user_id) {
                    tokio::spawn(timeout(STOP_DEADLINE, player.downlink.stop()));
                    self.show_members();
                }
            }
            Action::TellDevices(devices) => self.tell(devices),
            Action::SetMuted(muted) => {
                self.call.muted = muted;
                if let Some(uplink) = &self.call.uplink {
                    uplink.set_audio_muted(muted);
                }
            }
            Action::SetPreview(on) => {
                self.call.self_view_hidden = !on;
                self.show_self_view();
            }
            Action::Leave => self.leave(),
            // The shell keeps the time itself.
            Action::WakeIn(_) => {}
        }
    }

    fn find_room(&mut self) {
        let room = self.room.clone();
        let search = Search {
            agents: self.settings.agents.clone(),
            except: self.passed_over.now(Instant::now()),
        };
        self.reporter.spawn(async move {
            let found = room.find_idle_room(search).await;
            let found = found.map(|room| {
                room.map(|room| Found {
                    room_id: room.room_id,
                    agent: room.room_creator,
                })
            });
            Outcome::Event(Event::RoomFound(found.map_err(|e| translate::failure(&e))))
        });
    }

    fn create_room(&self) {
        let room = self.room.clone();
        let (id, info) = (
            self.settings.room_id.clone(),
            self.settings.room_info.clone(),
        );
        self.reporter.spawn(async move {
            let created = room.create_room(&id, &info).await;
            let created = created.map(|created| created.room_id().to_owned());
            Outcome::Event(Event::RoomCreated(
                created.map_err(|e| translate::failure(&e)),
            ))
        });
    }

    fn get_push_url(&self, room_id: String) {
        let room = self.room.clone();
        self.reporter.spawn(async move {
            let url = room.get_push_url(&room_id).await;
            Outcome::PushUrl(url.map(SecretString::from))
        });
    }

    fn open_devices(&mut self) {
        if self.call.devices.is_some() {
            // Open already for the self-view.
            self.reporter
                .spawn(async { Outcome::Event(Event::CaptureReady(Ok(()))) });
            return;
        }
        if std::mem::replace(&mut self.call.opening, true) {
            return;
        }
        let settings = self.settings.clone();
        let previous = self.leaving.take();
        let events = self.reporter.forward(Outcome::Push);
        self.reporter.spawn(async move {
            if let Some(previous) = previous {
                let _ = previous.await;
            }
            Outcome::Devices(Box::new(Devices::open(settings, events).await))
        });
    }

    /// Takes over devices that were opened, or the reason why they were not.
    pub(super) fn take_devices(
        &mut self,
        opened: Result<Devices, MediaError>,
    ) -> Result<(), String> {
        self.call.opening = false;
        self.call.devices = Some(opened.map_err(|error| error.to_string())?);
        self.show_self_view();
        Ok(())
    }

    fn show_self_view(&self) {
        if let Some(display) = &self.display {
            let devices = self.call.devices.as_ref();
            let shown = devices.filter(|_| !self.call.self_view_hidden);
            display.set_self_view(shown.map(|devices| devices.capture.picture()));
        }
    }

    fn start_push(&mut self) {
        let (Some(devices), Some(url)) = (&self.call.devices, &self.call.push_url) else {
            log::error!("asked to push without devices or push URL");
            return;
        };
        let video = &self.settings.video;
        let config = UplinkConfig {
            url: url.clone(),
            bitrate_kbps: video.bitrate_kbps,
            min_kbps: video.min_kbps,
            max_kbps: video.max_kbps,
            audio_kbps: self.settings.audio_kbps,
            gop_seconds: video.gop_seconds,
            encoder: video.encoder.clone(),
            reconnect: self.settings.reconnect,
            tls: self.settings.relay_tls.clone(),
        };
        let events = self.reporter.forward(Outcome::Push);
        let uplink = Uplink::start(&devices.capture, config, events);
        uplink.set_audio_muted(self.call.muted);
        self.call.uplink = Some(uplink);
    }

    fn enter(&self, room_id: String, role: Role) {
        let Some(push_url) = &self.call.push_url else {
            log::error!("asked to enter a room without push URL");
            return;
        };
        let room = self.room.clone();
        let entry = EnterRoom {
            room_id,
            room_info: self.settings.room_info.clone(),
            role,
            user_name: self.settings.user_name.clone(),
            user_avatar: String::new(),
            push_url: push_url.expose_secret().to_owned(),
        };
        self.reporter.spawn(async move {
            let entered = room.enter(entry).await;
            Outcome::Event(Event::Entered(entered.map_err(|e| translate::failure(&e))))
        });
    }

    fn tell(&self, devices: SoundDevices) {
        let (cmd, text) = translate::told(devices);
        let room = self.room.clone();
        // Nothing hangs on it: the figures of sound say the same, later.
        tokio::spawn(async move {
            if let Err(error) = room.send_custom(cmd, &text).await {
                log::debug!(reason = error.reason(); "the others are not told of our devices");
            }
        });
    }

    fn play(&mut self, peer: Peer) {
        let speaker = self.call.devices.as_ref().map(|devices| &devices.speaker);
        let config = DownlinkConfig {
            url: peer.play_url.into(),
            reconnect: self.settings.reconnect,
            speaker: speaker.map(|speaker| speaker.input(&peer.user_id)),
            tls: self.settings.relay_tls.clone(),
            largest_picture: self.settings.largest_picture,
        };
        let user_id = peer.user_id.clone();
        let wrap = move |event| Outcome::Play(user_id.clone(), event);
        let player = Player {
            downlink: Downlink::start(config, self.reporter.forward(wrap)),
            name: peer.name,
        };
        self.call.players.insert(peer.user_id, player);
        // A new member joins mid-stream: without a key frame they would wait a whole GOP.
        if let Some(uplink) = &self.call.uplink {
            uplink.welcome();
        }
        self.show_members();
    }

    fn show_members(&self) {
        let Some(display) = &self.display else { return };
        let members = self.call.players.iter().map(|(id, player)| MemberPicture {
            id: id.clone(),
            name: player.name.clone(),
            picture: player.downlink.picture(),
        });
        display.set_members(members.collect());
    }

    /// Leaves in the order stop play, `delete_pusher`, stop push; nothing waits for it but the
    /// next call's devices.
    pub(super) fn leave(&mut self) {
        self.reporter.begin_next_call();
        let mut call = std::mem::take(&mut self.call);
        if let Some(display) = &self.display {
            display.set_members(vec![]);
            display.set_self_view(None);
        }
        let (room, reporter) = (self.room.clone(), self.reporter.clone());
        let previous = self.leaving.take();
        self.leaving = Some(tokio::spawn(async move {
            if let Some(previous) = previous {
                let _ = previous.await;
            }
            call.stop_players().await;
            if let Err(error) = room.leave().await {
                log::warn!("the room server did not confirm leaving: {error}");
            }
            call.stop_push().await;
            reporter.report(Outcome::Event(Event::Left)).await;
        }));
    }

    /// Leaves, and waits for it, but not for ever.
    pub(super) async fn leave_and_wait(mut self) {
        self.leave();
        if let Some(leaving) = self.leaving.take() {
            let left = timeout(self.settings.patience.leave, leaving).await;
            if left.is_err() {
                log::warn!("leaving the room took too long; the room server will notice");
            }
        }
    }
}
