//! The message channel across logins: the service, the group that is wanted, and the effects of
//! its messages on the session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::channel_handle::Group;
use super::client::{ImClient, ImIdentity};
use super::effect::{Effect, SeenMessages};
use super::retry;
use super::settings::ImSettings;
use super::trouble::{Trouble, reason_of, trouble_of};
use crate::process::backoff::{Backoff, jittered};
use crate::protocol::webim::LongPollingId;
use crate::room::client_settings::{ClientSettings, SetupError};
use crate::room::event::{ChannelState, RoomEvent};
use crate::room::im_error::ImError;
use crate::room::link::Link;
use crate::room::recovery::EndNotice;

/// Pause between tries for a service that was guessed and has never been there.
const GUESSED_RETRY: Duration = Duration::from_secs(300);
/// Failures of a guessed service from which on it is tried so seldom.
const GUESSED_TRIES: u32 = 3;
/// Pause after another instance took over: two must not throw each other out all the time.
const REPLACED_RETRY: Duration = Duration::from_secs(30);

/// A login, and the id of its ordinary poll if there is to be one.
#[derive(Debug)]
pub(super) struct ImLogin {
    pub(super) me: Arc<ImIdentity>,
    pub(super) polling: Option<LongPollingId>,
}

/// The state that outlives a login.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) client: ImClient,
    settings: ImSettings,
    /// Certificates and patience, for a client of another address.
    room: ClientSettings,
    pub(super) link: Arc<Link>,
    refresh: Arc<Notify>,
    announces: watch::Sender<bool>,
    notice: Arc<Mutex<Option<EndNotice>>>,
    /// Whether nobody told of the service and it has never been there.
    guessed: bool,
    pub(super) wanted: Option<Group>,
    /// The state of the room's channel as the session knows it.
    up: Option<bool>,
    pub(super) paused: bool,
    /// Whether the last login was refused: its credentials may be old.
    refused: bool,
    pub(super) backoff: Backoff,
    pub(super) next_try: Instant,
    pub(super) seen: SeenMessages,
}

impl Channel {
    /// Makes a channel that has not logged in yet.
    pub(super) fn new(
        settings: &ImSettings,
        room: &ClientSettings,
        link: Arc<Link>,
        refresh: Arc<Notify>,
        announces: watch::Sender<bool>,
        notice: Arc<Mutex<Option<EndNotice>>>,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            client: ImClient::new(settings, true, room)?,
            settings: settings.clone(),
            room: room.clone(),
            link,
            refresh,
            announces,
            notice,
            guessed: false,
            wanted: None,
            up: None,
            paused: false,
            refused: false,
            backoff: retry::backoff(),
            next_try: Instant::now(),
            seen: SeenMessages::default(),
        })
    }

    /// Takes note of a login that succeeded.
    pub(super) fn logged_in(&mut self, me: &ImIdentity) {
        log::info!(user_id:% = me.user_id; "logged in to the message service");
        self.refused = false;
        self.guessed = false;
        self.set_state(ChannelState::Online, None);
    }

    /// Takes note that the room was left and its group is not wanted any more.
    pub(super) fn forget(&mut self, room_id: &str) {
        if self
            .wanted
            .as_ref()
            .is_some_and(|group| group.room_id == room_id)
        {
            self.wanted = None;
            self.up = None;
            self.announces.send_replace(false);
        }
    }

    /// Turns to the service that the last login to the room server told of.
    pub(super) fn choose_service(&mut self) -> Result<(), ImError> {
        let here = self.link.messages_here();
        let url = self.settings.url(here);
        if self.client.base != *url {
            self.client = ImClient::new(&self.settings, here, &self.room).map_err(Box::new)?;
            self.guessed = self.settings.is_guess(here);
            log::info!(host:% = url.host_str().unwrap_or_default(); "the message service");
        }
        Ok(())
    }

    pub(super) async fn pause(&mut self) {
        self.paused = true;
        self.wanted = None;
        self.up = None;
        self.announces.send_replace(false);
        self.set_state(ChannelState::Offline, None);
    }

    pub(super) fn log_in(
        &self,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<ImLogin, ImError>> + Send>> {
        let (client, link, refused) = (self.client.clone(), self.link.clone(), self.refused);
        Box::pin(async move {
            let credentials = link.im_credentials(refused, client.deadline).await;
            let credentials =
                credentials.map_err(|error| ImError::Credentials(error.to_string()))?;
            let me = client.login(&credentials).await?;
            let (named, polling) = tokio::join!(client.set_nick(&me), client.long_polling_id(&me));
            if let Err(error) = named {
                log::warn!(reason:% = error; "the message service did not take our name");
            }
            let polling = polling.inspect_err(|error| {
                log::warn!(reason:% = error; "no C2C messages: the message service gave no polling id");
            });
            let me = Arc::new(me);
            let polling = polling.ok();
            Ok(ImLogin { me, polling })
        })
    }

    /// Takes note of a lost or failed login, and when to try again.
    pub(super) async fn failed(&mut self, error: &ImError) {
        let trouble = trouble_of(error);
        self.refused = trouble == Trouble::Refused;
        let random = rand::random();
        let mut pause = self.backoff.next_pause(random);
        let failures = self.backoff.failures();
        if trouble == Trouble::Replaced {
            pause = jittered(REPLACED_RETRY, random);
        } else if self.guessed && failures >= GUESSED_TRIES {
            pause = jittered(GUESSED_RETRY, random);
        }
        self.next_try = Instant::now() + pause;
        let reason = reason_of(error, &self.link.outbox.user_id());
        if failures == 1 || pause > retry::MAXIMUM {
            log::warn!(reason:% = reason, pause:? = pause; "no message channel; the member list is polled");
        } else {
            log::debug!(reason:% = reason, pause:? = pause; "no message channel");
        }
        self.set_state(ChannelState::Offline, Some(&reason));
        self.announce_group(Err(&reason)).await;
    }

    pub(super) fn set_state(&self, state: ChannelState, reason: Option<&str>) {
        self.link.outbox.note(|snapshot| {
            snapshot.channel.state = state;
            if let Some(reason) = reason {
                snapshot.channel.last_error = Some(reason.to_owned());
            }
        });
    }

    /// Announces that the group is joined, or the reason why not, when that is news.
    pub(super) async fn announce_group(&mut self, up: Result<(), &str>) {
        self.announces.send_replace(up.is_ok());
        if self.wanted.is_none() || self.up == Some(up.is_ok()) {
            return;
        }
        self.up = Some(up.is_ok());
        let event = match up {
            Ok(()) => RoomEvent::ChannelUp,
            Err(reason) => RoomEvent::ChannelDown {
                reason: reason.to_owned(),
            },
        };
        self.link.outbox.emit(event).await;
    }

    /// Takes note that the group's poll is late, or came after all.
    pub(super) fn set_doubtful(&self, doubtful: bool) {
        self.announces.send_if_modified(|announces| {
            let changed = *announces == doubtful;
            *announces = !doubtful;
            changed
        });
    }

    /// Lets a message have its effect.
    pub(super) async fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::ReadMembers => self.refresh.notify_one(),
            Effect::End(notice) => {
                *self.notice.lock().unwrap_or_else(PoisonError::into_inner) = Some(notice);
                self.refresh.notify_one();
            }
            Effect::Event(event) => {
                self.link
                    .outbox
                    .note(|snapshot| snapshot.channel.messages_received += 1);
                self.link.outbox.emit(event).await;
            }
        }
    }
}
