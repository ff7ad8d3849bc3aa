//! The task of the message channel: logs in, runs one login after the other, and obeys
//! commands meanwhile.

use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::sleep_until;

use super::channel::{Channel, LoggedOn};
use super::handle::{ChannelHandle, Order, Running};
use super::online::{Loss, Online};
use super::settings::ImSettings;
use crate::room::event::ChannelState;
use crate::room::im_error::ImError;
use crate::room::in_flight::{Slot, in_flight};
use crate::room::link::Link;
use crate::room::setup::{ClientSettings, SetupError};

/// Orders that wait.
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
    let (orders, inbox) = mpsc::channel(QUEUE);
    let (announces, watched) = watch::channel(false);
    let told = Arc::new(Mutex::new(None));
    let channel = Channel::new(settings, room, link, refresh, announces, told.clone())?;
    channel.set_state(ChannelState::Offline, None);
    tokio::spawn(channel.run(inbox));
    Ok(ChannelHandle(Some(Running {
        orders,
        announces: watched,
        told,
    })))
}

impl Channel {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        while let Some(login) = self.offline(&mut orders).await {
            self.logged_in(&login.me);
            let loss = Online::new(&mut self, login).run(&mut orders).await;
            match loss {
                Loss::Ended => return,
                Loss::LoggedOut => self.pause().await,
                Loss::Failed(error) => self.failed(&error).await,
            }
        }
    }

    /// Until a login succeeds; None when nobody gives orders any more.
    async fn offline(&mut self, orders: &mut mpsc::Receiver<Order>) -> Option<LoggedOn> {
        let mut login: Slot<Result<LoggedOn, ImError>> = None;
        let mut room_login = self.link.outbox.subscribe();
        loop {
            let known = room_login.borrow_and_update().user_id.is_some();
            tokio::select! {
                order = orders.recv() => match order? {
                    Order::Logout(done) => {
                        login = None;
                        self.pause().await;
                        // Nobody waits for it any more.
                        let _ = done.send(());
                    }
                    order => self.obey_offline(order).await,
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

    async fn obey_offline(&mut self, order: Order) {
        match order {
            Order::Join(group) => {
                self.wanted = Some(group);
                self.paused = false;
                if self.backoff.failures() > 0 {
                    let reason = self.link.outbox.channel_reason();
                    self.tell_up(Err(&reason)).await;
                }
            }
            Order::Quit { room_id } => self.forget(&room_id),
            Order::Send(_, reply) => {
                let reason = self.link.outbox.channel_reason();
                let _ = reply.send(Err(ImError::Down(reason)));
            }
            Order::Wake => self.paused = false,
            Order::Logout(done) => drop(done.send(())),
        }
    }
}
