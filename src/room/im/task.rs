//! The task of the message channel: logs in, runs one login after the other, and obeys
//! commands meanwhile.

use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::sleep_until;

use super::channel::{Channel, ImLogin};
use super::channel_handle::{ChannelCommand, ChannelHandle, Running};
use super::online::{LoginEnd, Online};
use super::settings::ImSettings;
use crate::room::client_settings::{ClientSettings, SetupError};
use crate::room::event::ChannelState;
use crate::room::im_error::ImError;
use crate::room::in_flight::{InFlight, in_flight};
use crate::room::link::Link;

/// Maximum number of commands that wait.
const QUEUE: usize = 16;

/// Starts the channel's task, which ends when the last handle is dropped. `refresh` is rung
/// when the member list changed.
pub(in crate::room) fn start(
    settings: Option<&ImSettings>,
    room: &ClientSettings,
    link: Arc<Link>,
    refresh: Arc<Notify>,
) -> Result<ChannelHandle, SetupError> {
    let Some(settings) = settings else {
        return Ok(ChannelHandle(None));
    };
    let (commands, inbox) = mpsc::channel(QUEUE);
    let (announces, watched) = watch::channel(false);
    let notice = Arc::new(Mutex::new(None));
    let channel = Channel::new(settings, room, link, refresh, announces, notice.clone())?;
    channel.set_state(ChannelState::Offline, None);
    tokio::spawn(channel.run(inbox));
    Ok(ChannelHandle(Some(Running {
        commands,
        announces: watched,
        notice,
    })))
}

impl Channel {
    async fn run(mut self, mut commands: mpsc::Receiver<ChannelCommand>) {
        while let Some(login) = self.offline(&mut commands).await {
            self.logged_in(&login.me);
            let end = Online::new(&mut self, login).run(&mut commands).await;
            match end {
                LoginEnd::Ended => return,
                LoginEnd::LoggedOut => self.pause().await,
                LoginEnd::Failed(error) => self.failed(&error).await,
            }
        }
    }

    /// Works until a login succeeds; None when nobody gives commands any more.
    async fn offline(&mut self, commands: &mut mpsc::Receiver<ChannelCommand>) -> Option<ImLogin> {
        let mut login: InFlight<Result<ImLogin, ImError>> = None;
        let mut room_login = self.link.outbox.subscribe();
        loop {
            let known = room_login.borrow_and_update().user_id.is_some();
            tokio::select! {
                command = commands.recv() => match command? {
                    ChannelCommand::Logout(done) => {
                        login = None;
                        self.pause().await;
                        // Nobody waits for it any more.
                        let _ = done.send(());
                    }
                    command => self.obey_offline(command).await,
                },
                result = in_flight(&mut login) => match result {
                    Ok(login) => return Some(login),
                    Err(error) => self.failed(&error).await,
                },
                () = sleep_until(self.next_try), if known && !self.paused && login.is_none() => {
                    match self.choose_service() {
                        Ok(()) => login = Some(self.log_in()),
                        Err(error) => self.failed(&error).await,
                    }
                }
                changed = room_login.changed(), if !known => changed.ok()?,
            }
        }
    }

    async fn obey_offline(&mut self, command: ChannelCommand) {
        match command {
            ChannelCommand::Join(group) => {
                self.wanted = Some(group);
                self.paused = false;
                if self.backoff.failures() > 0 {
                    let reason = self.link.outbox.channel_reason();
                    self.announce_group(Err(&reason)).await;
                }
            }
            ChannelCommand::Quit { room_id } => self.forget(&room_id),
            ChannelCommand::Send(_, reply) => {
                let reason = self.link.outbox.channel_reason();
                let _ = reply.send(Err(ImError::Down(reason)));
            }
            ChannelCommand::Wake => self.paused = false,
            ChannelCommand::Logout(done) => drop(done.send(())),
        }
    }
}
