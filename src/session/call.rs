//! The running things of a call, and the actions that start and stop them.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::shell::{Outcome, Outcomes, QUEUE, Shell};
use super::{Action, DeviceStatus, Event, Peer, translate};
use crate::config::kiosk::AudioSink;
use crate::display::Remote;
use crate::media::{
    Capture, Downlink, DownlinkConfig, DownlinkStats, MediaError, Speaker, Uplink, UplinkConfig,
};
use crate::room::EnterRoom;

/// For stopping one stream: a peer that does not answer must not hold up the next call.
const STOP_DEADLINE: Duration = Duration::from_secs(3);

/// Camera, microphone and loudspeaker of a call.
#[derive(Debug)]
pub(super) struct Devices {
    pub(super) capture: Capture,
    pub(super) speaker: Speaker,
}

impl Devices {
    pub(super) fn status(&self) -> DeviceStatus {
        DeviceStatus {
            camera: self.capture.cameras().status(),
            microphone: self.capture.microphone(),
            speaker: self.speaker.status(),
        }
    }
}

struct Player {
    downlink: Downlink,
    name: String,
}

/// Everything that runs for one call.
#[derive(Default)]
pub(super) struct Call {
    pub(super) devices: Option<Devices>,
    pub(super) push_url: Option<SecretString>,
    pub(super) uplink: Option<Uplink>,
    muted: bool,
    /// Devices are being opened.
    opening: bool,
    /// The own picture is not to be seen.
    no_preview: bool,
    players: BTreeMap<String, Player>,
}

impl Call {
    pub(super) fn downlink_stats(&self) -> BTreeMap<String, DownlinkStats> {
        let stats = |player: &Player| player.downlink.stats().borrow().clone();
        self.players
            .iter()
            .map(|(id, player)| (id.clone(), stats(player)))
            .collect()
    }

    /// Stops what runs, downlinks first: that is the order in which a room is left.
    async fn stop_players(&mut self) {
        for (user_id, player) in std::mem::take(&mut self.players) {
            if timeout(STOP_DEADLINE, player.downlink.stop())
                .await
                .is_err()
            {
                log::warn!(user = user_id.as_str(); "a player did not stop in time");
            }
        }
    }

    async fn stop_push(&mut self) {
        if let Some(uplink) = self.uplink.take()
            && timeout(STOP_DEADLINE, uplink.stop()).await.is_err()
        {
            log::warn!("the pusher did not stop in time");
        }
        if let Some(devices) = self.devices.take() {
            let closed = async {
                devices.capture.stop().await;
                devices.speaker.stop().await;
            };
            if timeout(STOP_DEADLINE, closed).await.is_err() {
                log::warn!("the devices did not close in time");
            }
        }
    }
}

impl Shell {
    /// Starts what the machine wants; results come back as outcomes.
    pub(super) fn carry_out(&mut self, action: Action) {
        match action {
            Action::FindRoom => {
                let room = self.room.clone();
                self.spawn(async move {
                    let found = room.find_idle_room().await;
                    let found = found.map(|room| room.map(|room| room.room_id));
                    Outcome::Event(Event::RoomFound(found.map_err(|e| translate::failure(&e))))
                });
            }
            Action::CreateRoom => {
                let room = self.room.clone();
                let (id, info) = (
                    self.settings.room_id.clone(),
                    self.settings.room_info.clone(),
                );
                self.spawn(async move {
                    let created = room.create_room(&id, &info).await;
                    let created = created.map(|created| created.room_id().to_owned());
                    Outcome::Event(Event::RoomCreated(
                        created.map_err(|e| translate::failure(&e)),
                    ))
                });
            }
            Action::StartCapture => self.open_devices(),
            Action::GetPushUrl { room_id } => {
                let room = self.room.clone();
                self.spawn(async move {
                    let url = room.get_push_url(&room_id).await;
                    Outcome::PushUrl(url.map(SecretString::from))
                });
            }
            Action::StartPush => self.start_push(),
            Action::StopPush => {
                if let Some(uplink) = self.call.uplink.take() {
                    tokio::spawn(timeout(STOP_DEADLINE, uplink.stop()));
                }
            }
            Action::Enter { room_id } => self.enter(room_id),
            Action::Play(peer) => self.play(peer),
            Action::StopPlay { user_id } => {
                if let Some(player) = self.call.players.remove(&user_id) {
                    tokio::spawn(timeout(STOP_DEADLINE, player.downlink.stop()));
                    self.show_remotes();
                }
            }
            Action::SetMuted(muted) => {
                self.call.muted = muted;
                if let Some(uplink) = &self.call.uplink {
                    uplink.set_audio_muted(muted);
                }
            }
            Action::SetPreview(on) => {
                self.call.no_preview = !on;
                self.show_self();
            }
            Action::Leave => self.leave(),
            // The shell keeps the time itself.
            Action::WakeIn(_) => {}
        }
    }

    /// Runs `work` beside the session; its outcome counts while this call lasts.
    fn spawn(&self, work: impl Future<Output = Outcome> + Send + 'static) {
        let (outcomes, epoch) = (self.outcomes.clone(), self.epoch);
        tokio::spawn(async move {
            // A closed channel means that the session has ended.
            let _ = outcomes.send((epoch, work.await)).await;
        });
    }

    fn open_devices(&mut self) {
        if self.call.devices.is_some() {
            // Open already for the own picture.
            self.spawn(async { Outcome::Event(Event::CaptureReady(Ok(()))) });
        }
        if self.call.devices.is_some() || std::mem::replace(&mut self.call.opening, true) {
            return;
        }
        let (config, sink) = (self.settings.capture.clone(), self.settings.speaker.clone());
        let (level, volume) = (self.settings.speaker_level, self.settings.volume);
        let former = self.leaving.take();
        let events = forward(&self.outcomes, self.epoch, Outcome::Push);
        self.spawn(async move {
            if let Some(former) = former {
                let _ = former.await;
            }
            Outcome::Devices(Box::new(open(config, (sink, level), volume, events).await))
        });
    }

    /// Devices were opened, or not.
    pub(super) fn opened(&mut self, opened: Result<Devices, MediaError>) -> Result<(), String> {
        self.call.opening = false;
        self.call.devices = Some(opened.map_err(|error| error.to_string())?);
        self.show_self();
        Ok(())
    }

    fn show_self(&self) {
        if let Some(display) = &self.display {
            let devices = self.call.devices.as_ref();
            let shown = devices.filter(|_| !self.call.no_preview);
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
        let events = forward(&self.outcomes, self.epoch, Outcome::Push);
        let uplink = Uplink::start(&devices.capture, config, events);
        uplink.set_audio_muted(self.call.muted);
        self.call.uplink = Some(uplink);
    }

    fn enter(&mut self, room_id: String) {
        let Some(push_url) = &self.call.push_url else {
            log::error!("asked to enter a room without push URL");
            return;
        };
        let room = self.room.clone();
        let entry = EnterRoom {
            room_id,
            room_info: self.settings.room_info.clone(),
            role: self.facts.role,
            user_name: self.settings.user_name.clone(),
            user_avatar: String::new(),
            push_url: push_url.expose_secret().to_owned(),
        };
        self.spawn(async move {
            let entered = room.enter(entry).await;
            Outcome::Event(Event::Entered(entered.map_err(|e| translate::failure(&e))))
        });
    }

    fn play(&mut self, peer: Peer) {
        let speaker = self.call.devices.as_ref().map(|devices| &devices.speaker);
        let config = DownlinkConfig {
            url: peer.play_url.into(),
            reconnect: self.settings.reconnect,
            speaker: speaker.map(|speaker| speaker.input(&peer.user_id)),
            tls: self.settings.relay_tls.clone(),
        };
        let user_id = peer.user_id.clone();
        let events = forward(&self.outcomes, self.epoch, move |event| {
            Outcome::Play(user_id.clone(), event)
        });
        let player = Player {
            downlink: Downlink::start(config, events),
            name: peer.name,
        };
        self.call.players.insert(peer.user_id, player);
        // A new member joins mid-stream: without a key frame it would wait a whole GOP.
        if let Some(uplink) = &self.call.uplink {
            uplink.welcome();
        }
        self.show_remotes();
    }

    fn show_remotes(&self) {
        let Some(display) = &self.display else { return };
        let remotes = self.call.players.iter().map(|(id, player)| Remote {
            id: id.clone(),
            name: player.name.clone(),
            picture: player.downlink.picture(),
        });
        display.set_remotes(remotes.collect());
    }

    /// Leaves in the order stop play, `delete_pusher`, stop push; nothing waits for it but the
    /// next call's devices.
    pub(super) fn leave(&mut self) {
        self.epoch += 1;
        let mut call = std::mem::take(&mut self.call);
        if let Some(display) = &self.display {
            display.set_remotes(vec![]);
            display.set_self_view(None);
        }
        let (room, outcomes, epoch) = (self.room.clone(), self.outcomes.clone(), self.epoch);
        let former = self.leaving.take();
        self.leaving = Some(tokio::spawn(async move {
            if let Some(former) = former {
                let _ = former.await;
            }
            call.stop_players().await;
            if let Err(error) = room.leave().await {
                log::warn!("the room server did not confirm leaving: {error}");
            }
            call.stop_push().await;
            let _ = outcomes.send((epoch, Outcome::Event(Event::Left))).await;
        }));
    }
}

/// Opens camera, microphone and loudspeaker.
async fn open(
    config: crate::media::CaptureConfig,
    (sink, level): (AudioSink, Option<u8>),
    volume: f64,
    events: mpsc::Sender<crate::media::PushEvent>,
) -> Result<Devices, MediaError> {
    let capture = Capture::start(config, events).await?;
    // Without one that works now the call goes on, and it is tried again.
    let speaker = Speaker::start_or_wait(sink, level).await;
    speaker.set_volume(volume);
    speaker.report_to(capture.echo());
    Ok(Devices { capture, speaker })
}

/// A channel whose events reach the session as outcomes of this call.
fn forward<T: Send + 'static>(
    outcomes: &Outcomes,
    epoch: u64,
    wrap: impl Fn(T) -> Outcome + Send + 'static,
) -> mpsc::Sender<T> {
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    let outcomes = outcomes.clone();
    tokio::spawn(async move {
        while let Some(event) = receiver.recv().await {
            if outcomes.send((epoch, wrap(event))).await.is_err() {
                break;
            }
        }
    });
    sender
}
