//! The login and the requests made with it: one login at a time, renewed when the server
//! refuses the token, and a record of whether the server is there.

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::Instant;

use crate::protocol::answer::LoginInfo;
use crate::protocol::request::RenewUserSig;
use crate::protocol::user_sig::{Claims, DEFAULT_VALID_SECONDS};

use super::client::{Identity, RoomClient};
use super::error::{ErrorClass, RoomError};
use super::event::{Outbox, RoomEvent};
use super::reachability::{Change, Reachability};
use super::recovery::Window;
use super::renewal::{self, Kept};
use super::unix_time::unix_now;
use super::user_sig;
use crate::config::kiosk::{Credentials, UserCredentials};

/// Tokens lost within [`LOST_WINDOW`] after which another device must be using our user id: a
/// second login voids the first, so two devices would throw each other out for ever.
const LOST_LIMIT: usize = 4;
/// Time within which lost tokens are counted together.
const LOST_WINDOW: Duration = Duration::from_secs(60);

/// The link to a room server as a logged-in user.
#[derive(Debug)]
pub(super) struct Link {
    client: RoomClient,
    credentials: Credentials,
    /// Held during a login, so that there is only one.
    login: tokio::sync::Mutex<Login>,
    logins: AtomicU64,
    /// The word of the last login.
    messages_here: AtomicBool,
    reachability: Mutex<Reachability>,
    pub(super) outbox: Outbox,
}

#[derive(Debug)]
struct Login {
    identity: Option<Identity>,
    /// The user id that the server invented, kept for the next logins.
    user_id: Option<String>,
    /// The credentials of the last login.
    credentials: Option<UserCredentials>,
    lost: Window,
    kept: Kept,
    /// Whether a refusal was announced already.
    refused: bool,
}

impl Link {
    pub(super) fn new(
        client: RoomClient,
        credentials: Credentials,
        sig_file: Option<PathBuf>,
        outbox: Outbox,
    ) -> Self {
        let login = Login {
            identity: None,
            user_id: None,
            credentials: None,
            lost: Window::new(LOST_WINDOW),
            kept: Kept::new(sig_file),
            refused: false,
        };
        Self {
            client,
            credentials,
            login: tokio::sync::Mutex::new(login),
            logins: AtomicU64::new(0),
            messages_here: AtomicBool::new(false),
            reachability: Mutex::default(),
            outbox,
        }
    }

    /// Counts the logins so far. A larger number than before: the token was lost meanwhile.
    pub(super) fn logins(&self) -> u64 {
        self.logins.load(Ordering::Relaxed)
    }

    /// Whether the room server that we are logged in to is a message service too.
    pub(super) fn messages_here(&self) -> bool {
        self.messages_here.load(Ordering::Relaxed)
    }

    /// Makes a request as the logged-in user: logs in first if need be; if the server refuses
    /// the token, logs in again and repeats it once.
    pub(super) async fn ask<T, F, R>(&self, limit: Duration, request: F) -> Result<T, RoomError>
    where
        F: Fn(RoomClient, Arc<Identity>) -> R + Send,
        R: Future<Output = Result<T, RoomError>> + Send,
        T: Send,
    {
        tokio::time::timeout(limit, self.ask_patiently(request))
            .await
            .unwrap_or(Err(RoomError::Deadline { after: limit }))
    }

    async fn ask_patiently<T, F, R>(&self, request: F) -> Result<T, RoomError>
    where
        F: Fn(RoomClient, Arc<Identity>) -> R + Send,
        R: Future<Output = Result<T, RoomError>> + Send,
        T: Send,
    {
        let me = Arc::new(self.identity().await?);
        let first = request(self.client.clone(), me.clone()).await;
        let first = self.record(first).await;
        if !matches!(&first, Err(error) if error.class() == ErrorClass::LoginAgain) {
            return first;
        }
        self.forget(&me).await?;
        let me = Arc::new(self.identity().await?);
        let second = request(self.client.clone(), me).await;
        self.record(second).await
    }

    /// Gives the token back and forgets it, whatever the server answers.
    pub(super) async fn logout(&self, limit: Duration) {
        let mut login = self.login.lock().await;
        if let Some(me) = login.identity.take() {
            let client = self.client.clone().with_deadline(limit);
            if let Err(error) = client.logout(&me).await {
                log::debug!(reason = error.reason(); "logout was not confirmed");
            }
        }
        self.outbox.note(|snapshot| snapshot.user_id = None);
    }

    /// Returns credentials for the message service: those of the last login, or fresh ones.
    pub(super) async fn im_credentials(
        &self,
        fresh: bool,
        limit: Duration,
    ) -> Result<UserCredentials, RoomError> {
        let credentials = async {
            let mut login = self.login.lock().await;
            match &login.credentials {
                Some(credentials) if !fresh => Ok(credentials.clone()),
                _ => self.fresh_credentials(&mut login).await,
            }
        };
        tokio::time::timeout(limit, credentials)
            .await
            .unwrap_or(Err(RoomError::Deadline { after: limit }))
    }

    async fn identity(&self) -> Result<Identity, RoomError> {
        let mut login = self.login.lock().await;
        if let Some(identity) = &login.identity {
            return Ok(identity.clone());
        }
        match self.log_in(&mut login).await {
            Ok(identity) => {
                login.refused = false;
                login.identity = Some(identity.clone());
                self.announce_login(&identity.user_id).await;
                Ok(identity)
            }
            Err(error) => {
                if error.class() == ErrorClass::LoginAgain && !login.refused {
                    login.refused = true;
                    let reason = error.reason();
                    log::warn!(reason:% = reason; "login to the room server refused");
                    self.outbox.emit(RoomEvent::LoginRefused { reason }).await;
                }
                Err(error)
            }
        }
    }

    async fn log_in(&self, login: &mut Login) -> Result<Identity, RoomError> {
        let credentials = self.fresh_credentials(login).await?;
        login.credentials = Some(credentials.clone());
        self.note_end(&credentials);
        let me = self.record(self.client.login(&credentials).await).await?;
        self.messages_here
            .store(me.messages_here, Ordering::Relaxed);
        Ok(me)
    }

    async fn announce_login(&self, user_id: &str) {
        let logins = self.logins.fetch_add(1, Ordering::Relaxed) + 1;
        log::info!(user_id:% = user_id, logins = logins; "logged in to the room server");
        let user_id = user_id.to_owned();
        self.outbox.note(|snapshot| {
            snapshot.user_id = Some(user_id.clone());
            snapshot.logins = logins;
        });
        self.outbox.emit(RoomEvent::LoggedIn { user_id }).await;
    }

    /// Obtains the credentials for a login. Those of the room server are asked for at each: a
    /// server that restarted may have new signing keys.
    async fn fresh_credentials(&self, login: &mut Login) -> Result<UserCredentials, RoomError> {
        let wanted = match &self.credentials {
            Credentials::Given(credentials) => {
                let mut credentials = credentials.clone();
                login.kept.apply(&mut credentials);
                return Ok(credentials);
            }
            Credentials::SigFile {
                sdk_app_id,
                account_type,
                user_id,
                path,
            } => {
                let mut credentials = UserCredentials {
                    sdk_app_id: *sdk_app_id,
                    account_type: account_type.clone(),
                    user_id: user_id.clone(),
                    user_sig: user_sig::read(path).await?,
                };
                login.kept.apply(&mut credentials);
                return Ok(credentials);
            }
            Credentials::Key {
                sdk_app_id,
                account_type,
                user_id,
                path,
                form,
            } => {
                let claims = Claims {
                    sdk_app_id: *sdk_app_id,
                    account_type: account_type.clone(),
                    identifier: user_id.clone(),
                    time: unix_now(),
                    expire_after: DEFAULT_VALID_SECONDS,
                };
                return Ok(UserCredentials {
                    sdk_app_id: *sdk_app_id,
                    account_type: account_type.clone(),
                    user_id: user_id.clone(),
                    user_sig: user_sig::sign(path, &claims, *form).await?,
                });
            }
            Credentials::GetLoginInfo { user_id } => login.user_id.as_ref().or(user_id.as_ref()),
        };
        let result = self.client.get_login_info(wanted.map(String::as_str)).await;
        let credentials = self.record(result).await?;
        login.user_id = Some(credentials.user_id.clone());
        Ok(credentials)
    }

    /// Has our userSig renewed if it is time, and the server does that. `Ok(false)` = nothing to do.
    pub(super) async fn renew_if_due(&self, limit: Duration) -> Result<bool, RoomError> {
        tokio::time::timeout(limit, self.renew())
            .await
            .unwrap_or(Err(RoomError::Deadline { after: limit }))
    }

    async fn renew(&self) -> Result<bool, RoomError> {
        let me = self.identity().await?;
        let old = self.login.lock().await.credentials.clone();
        let ours = matches!(
            self.credentials,
            Credentials::Given(_) | Credentials::SigFile { .. }
        );
        let old = old.filter(|old| ours && renewal::is_due(&old.user_sig, unix_now()));
        let Some(old) = old.filter(|_| me.renews) else {
            return Ok(false);
        };
        let request = RenewUserSig {
            user_id: me.user_id.clone(),
        };
        let answer: Result<LoginInfo, _> = self.client.call(&me, &request).await;
        let renewed = renewal::accept(&old, self.record(answer).await?);
        let renewed = renewed.map_err(|reason| RoomError::Renewal { reason })?;
        let mut login = self.login.lock().await;
        let mut credentials = old;
        credentials.user_sig = renewed.clone();
        self.note_end(&credentials);
        login.credentials = Some(credentials);
        login.kept.keep(renewed).await;
        log::info!("the userSig is renewed");
        Ok(true)
    }

    /// Notes until when our userSig is good.
    fn note_end(&self, credentials: &UserCredentials) {
        let end = renewal::end(&credentials.user_sig);
        self.outbox.note(|snapshot| snapshot.user_sig_ends = end);
    }

    /// Drops the refused token, unless another task has renewed it already.
    async fn forget(&self, refused: &Identity) -> Result<(), RoomError> {
        let mut login = self.login.lock().await;
        let is_current = login
            .identity
            .as_ref()
            .is_some_and(|current| current.token.expose_secret() == refused.token.expose_secret());
        if !is_current {
            return Ok(());
        }
        login.identity = None;
        let now = Instant::now();
        login.lost.add(now);
        if login.lost.count(now) >= LOST_LIMIT {
            return Err(RoomError::LoginTakenOver {
                user_id: refused.user_id.clone(),
            });
        }
        Ok(())
    }

    /// Records an outcome: a change of reachability becomes an event.
    async fn record<T>(&self, result: Result<T, RoomError>) -> Result<T, RoomError> {
        let error = result.as_ref().err();
        let answered = error.is_none_or(RoomError::is_from_room_server);
        let reason = error.map(RoomError::reason);
        if let Some(reason) = &reason {
            let reason = reason.clone();
            self.outbox
                .note(|snapshot| snapshot.last_error = Some(reason));
        }
        let change = self
            .reachability
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .record(answered, Instant::now());
        match change {
            Some(Change::Lost { since }) => {
                let reason = reason.unwrap_or_default();
                log::warn!(reason:% = reason; "the room server is unreachable");
                self.outbox.note(|snapshot| snapshot.reachable = false);
                let untrusted = error.is_some_and(RoomError::is_distrust);
                let event = RoomEvent::ServerUnreachable {
                    reason,
                    untrusted,
                    since,
                };
                self.outbox.emit(event).await;
            }
            Some(Change::Found) => {
                log::info!("the room server is reachable again");
                self.outbox.note(|snapshot| snapshot.reachable = true);
                self.outbox.emit(RoomEvent::ServerReachable).await;
            }
            None => {}
        }
        result
    }
}
