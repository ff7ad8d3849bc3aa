//! Sends messages one after the other, and reports the outcome of each.

use std::collections::VecDeque;
use std::sync::Arc;

use super::channel_handle::{Group, Outgoing, Reply};
use super::client::{ImClient, ImIdentity};
use crate::protocol::webim::{ChatText, CustomCommand, c2c_body, command_body, text_body};
use crate::room::im_error::ImError;
use crate::room::in_flight::{InFlight, in_flight};

/// Sends one message after the other, so that they arrive in command.
pub(super) struct SendQueue {
    client: ImClient,
    me: Arc<ImIdentity>,
    pub(super) queue: VecDeque<(Outgoing, Option<Group>, Reply)>,
    slot: InFlight<Result<(), ImError>>,
    reply: Option<Reply>,
}

impl SendQueue {
    pub(super) fn new(client: ImClient, me: Arc<ImIdentity>) -> Self {
        Self {
            client,
            me,
            queue: VecDeque::new(),
            slot: None,
            reply: None,
        }
    }

    /// Works until the next message is sent; may be dropped and called again.
    pub(super) async fn next(&mut self) {
        loop {
            if self.slot.is_none() {
                let Some((message, group, reply)) = self.queue.pop_front() else {
                    return std::future::pending().await;
                };
                self.reply = Some(reply);
                let (client, me) = (self.client.clone(), self.me.clone());
                self.slot = Some(Box::pin(send(client, me, message, group)));
            }
            let result = in_flight(&mut self.slot).await;
            let sent = result.is_ok();
            if let Err(error) = &result {
                log::warn!(reason:% = error; "a message was not sent");
            }
            if let Some(reply) = self.reply.take() {
                // Fails when nobody waits for it any more.
                let _ = reply.send(result);
            }
            if sent {
                return;
            }
        }
    }
}

async fn send(
    client: ImClient,
    me: Arc<ImIdentity>,
    message: Outgoing,
    group: Option<Group>,
) -> Result<(), ImError> {
    let Group {
        room_id,
        nick,
        avatar,
    } = group.unwrap_or_else(|| Group {
        room_id: String::new(),
        nick: me.user_id.clone(),
        avatar: String::new(),
    });
    let command = |cmd, msg, user_name, user_avatar| CustomCommand {
        cmd,
        msg,
        user_name,
        user_avatar,
    };
    match message {
        Outgoing::Text { text } => {
            let body = text_body(&ChatText { nick, avatar, text })?;
            client.send_group(&me, &room_id, body).await
        }
        Outgoing::Custom { cmd, msg } => {
            let body = command_body(&command(cmd, msg, nick, avatar))?;
            client.send_group(&me, &room_id, body).await
        }
        Outgoing::C2c { to, cmd, msg } => {
            let body = c2c_body(&command(cmd, msg, nick, avatar))?;
            client.send_c2c(&me, &to, body).await
        }
    }
}
