//! The client of the message service: one method per command, each with an answer or a named
//! error in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::settings::ImSettings;
use crate::config::kiosk::UserCredentials;
use crate::protocol::webim::{
    self, App, BigGroupPollRequest, BigGroupPolled, Caller, Element, Empty, GetMsgRequest,
    GroupRequest, ImAnswerError, ImCommand, Joined, LoggedIn, LoginRequest, LongPollCookie,
    LongPollRequest, LongPolled, LongPollingId, LongPollingLogoutRequest, PendingC2c,
    PortraitSetRequest, ProfileItem, RequestQuery, SendC2cRequest, SendGroupRequest, Sent,
};
use crate::room::client_settings::{ClientSettings, SetupError};
use crate::room::http::{fetch, http_client};
use crate::room::im_error::ImError;
use crate::room::unix_time::unix_now;
use crate::tls::HttpClient;

/// Time for the way there and back, beside that for which the service holds a poll.
pub(super) const POLL_MARGIN: Duration = Duration::from_secs(5);
/// Limit below which C2C sequence numbers start, as the official client's do.
const FIRST_C2C_SEQ: u64 = 10_000_000;

/// Our identity at the message service: the result of a login.
#[derive(Debug, Clone)]
pub(super) struct ImIdentity {
    pub(super) user_id: String,
    app: App,
    tiny_id: String,
    a2_key: SecretString,
}

impl ImIdentity {
    fn caller(&self) -> Caller<'_> {
        Caller::LoggedIn {
            tiny_id: &self.tiny_id,
            a2_key: self.a2_key.expose_secret(),
        }
    }
}

/// The message service. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ImClient {
    http: HttpClient,
    pub(super) base: Url,
    /// Limit for every exchange but polls.
    pub(super) deadline: Duration,
    /// The query's `reqSeq`.
    requests: Arc<AtomicU64>,
    c2c_seq: Arc<AtomicU64>,
}

impl ImClient {
    /// Sets up connections to the service, for a room server that is one itself (`here`) or is
    /// not, with the certificates and the patience of the room server's settings.
    pub(super) fn new(
        settings: &ImSettings,
        here: bool,
        room: &ClientSettings,
    ) -> Result<Self, SetupError> {
        let pins = match settings {
            ImSettings::AsTold { .. } if here => &room.pins,
            ImSettings::AsTold { .. } | ImSettings::At(_) => &room.im_pins,
        };
        Ok(Self {
            http: http_client(room, pins)?,
            base: settings.url(here).clone(),
            deadline: room.deadline,
            requests: Arc::new(AtomicU64::new(1)),
            c2c_seq: Arc::new(AtomicU64::new(rand::random_range(0..FIRST_C2C_SEQ))),
        })
    }

    pub(super) async fn login(&self, credentials: &UserCredentials) -> Result<ImIdentity, ImError> {
        let command = ImCommand::Login;
        let app = App {
            sdk_app_id: credentials.sdk_app_id,
            account_type: credentials.account_type.clone(),
        };
        let caller = Caller::LoggingIn {
            identifier: &credentials.user_id,
            user_sig: credentials.user_sig.expose_secret(),
        };
        let online = LoginRequest {
            state: "Online".into(),
        };
        let answer: LoggedIn = self
            .exchange(caller, &app, command, &online, self.deadline)
            .await?;
        for (key, value) in [("TinyId", &answer.tiny_id), ("A2Key", &answer.a2_key)] {
            if value.is_empty() {
                let source = ImAnswerError::Missing(key);
                return Err(ImError::Answer { command, source });
            }
        }
        Ok(ImIdentity {
            user_id: credentials.user_id.clone(),
            app,
            tiny_id: answer.tiny_id,
            a2_key: answer.a2_key.into(),
        })
    }

    /// Sets our nickname to the user id: mini-programs show it as the sender's id.
    pub(super) async fn set_nick(&self, me: &ImIdentity) -> Result<(), ImError> {
        let request = PortraitSetRequest {
            from_account: me.user_id.clone(),
            profile_item: vec![ProfileItem {
                tag: webim::TAG_NICK.into(),
                value: me.user_id.clone(),
            }],
        };
        let done: Empty = self.ask(me, ImCommand::PortraitSet, &request).await?;
        let Empty {} = done;
        Ok(())
    }

    pub(super) async fn long_polling_id(&self, me: &ImIdentity) -> Result<LongPollingId, ImError> {
        self.ask(me, ImCommand::GetLongPollingId, &Empty {}).await
    }

    /// Logs out this instance.
    pub(super) async fn logout(&self, me: &ImIdentity, polling_id: &str) -> Result<(), ImError> {
        let request = LongPollingLogoutRequest {
            long_polling_id: polling_id.to_owned(),
        };
        let Empty {} = self.ask(me, ImCommand::LongPollingLogout, &request).await?;
        Ok(())
    }

    pub(super) async fn poll(
        &self,
        me: &ImIdentity,
        timeout: u64,
        cookie: LongPollCookie,
    ) -> Result<LongPolled, ImError> {
        let request = LongPollRequest { timeout, cookie };
        let deadline = Duration::from_secs(timeout) + POLL_MARGIN;
        let command = ImCommand::LongPolling;
        self.exchange(me.caller(), &me.app, command, &request, deadline)
            .await
    }

    /// Fetches C2C messages that wait.
    pub(super) async fn pending(
        &self,
        me: &ImIdentity,
        cookie: String,
        sync_flag: u64,
    ) -> Result<PendingC2c, ImError> {
        let request = GetMsgRequest { cookie, sync_flag };
        self.ask(me, ImCommand::GetMsg, &request).await
    }

    /// Joins a room's group and returns the key of the first poll.
    pub(super) async fn join(&self, me: &ImIdentity, group: &str) -> Result<String, ImError> {
        let command = ImCommand::ApplyJoinGroup;
        let group_id = group.to_owned();
        let joined: Joined = self.ask(me, command, &GroupRequest { group_id }).await?;
        if joined.joined_status != webim::JOINED {
            let status = joined.joined_status.chars().take(40).collect();
            return Err(ImError::NotAdmitted(status));
        }
        if joined.long_polling_key.is_empty() {
            let source = ImAnswerError::Missing("LongPollingKey");
            return Err(ImError::Answer { command, source });
        }
        Ok(joined.long_polling_key)
    }

    pub(super) async fn quit(&self, me: &ImIdentity, group: &str) -> Result<(), ImError> {
        let group_id = group.to_owned();
        let request = GroupRequest { group_id };
        let Empty {} = self.ask(me, ImCommand::QuitGroup, &request).await?;
        Ok(())
    }

    pub(super) async fn listen(
        &self,
        me: &ImIdentity,
        request: BigGroupPollRequest,
        deadline: Duration,
    ) -> Result<BigGroupPolled, ImError> {
        let command = ImCommand::BigGroupPoll;
        self.exchange(me.caller(), &me.app, command, &request, deadline)
            .await
    }

    pub(super) async fn send_group(
        &self,
        me: &ImIdentity,
        group: &str,
        body: Vec<Element>,
    ) -> Result<(), ImError> {
        let request = SendGroupRequest {
            group_id: group.to_owned(),
            from_account: me.user_id.clone(),
            random: rand::random::<u32>().into(),
            msg_body: body,
            msg_priority: "COMMON".into(),
        };
        let sent: Sent = self.ask(me, ImCommand::SendGroupMsg, &request).await?;
        log::debug!(seq = sent.msg_seq; "group message sent");
        Ok(())
    }

    pub(super) async fn send_c2c(
        &self,
        me: &ImIdentity,
        to: &str,
        body: Vec<Element>,
    ) -> Result<(), ImError> {
        let request = SendC2cRequest {
            from_account: me.user_id.clone(),
            to_account: to.to_owned(),
            msg_time_stamp: unix_now(),
            msg_seq: self.c2c_seq.fetch_add(1, Ordering::Relaxed),
            msg_random: rand::random::<u32>().into(),
            msg_body: body,
        };
        let sent: Sent = self.ask(me, ImCommand::SendMsg, &request).await?;
        log::debug!(time = sent.msg_time; "C2C message sent");
        Ok(())
    }

    async fn ask<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        me: &ImIdentity,
        command: ImCommand,
        body: &B,
    ) -> Result<T, ImError> {
        self.exchange(me.caller(), &me.app, command, body, self.deadline)
            .await
    }

    async fn exchange<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        caller: Caller<'_>,
        app: &App,
        command: ImCommand,
        body: &B,
        deadline: Duration,
    ) -> Result<T, ImError> {
        let mut url = self.base.clone();
        url.set_path(command.path());
        let seq = self.requests.fetch_add(1, Ordering::Relaxed);
        url.set_query(Some(&RequestQuery::compose(caller, app, unix_now(), seq)));
        let request = self.http.post(url).json(body);
        let fetched = fetch(&self.http, request, deadline).await;
        let fetched = fetched.map_err(|error| ImError::fetch(command, error))?;
        // The HTTP status means nothing in this protocol.
        webim::parse(&fetched.body).map_err(|source| ImError::Answer { command, source })
    }
}
