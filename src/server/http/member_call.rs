//! A call whose sender is known, and the bounds of the texts that it may bring.

use serde_json::{Map, Value};

use super::app::App;
use super::call::Call;
use super::reply::{Failure, Outcome};
use crate::config::server::UserRole;
use crate::protocol::request::{self, Request};
use crate::protocol::{Code, RoomType};
use crate::server::auth::AuthError;
use crate::server::clock::Now;
use crate::server::rooms::RoomKey;

/// Longest text in bytes that a member may bring: it goes out with every list of members.
pub(super) const TEXT_LIMIT: usize = 2048;

/// A call whose sender is known.
pub(super) struct MemberCall<'a> {
    pub(super) app: &'a App,
    pub(super) kind: RoomType,
    /// The user whose token the call carries.
    pub(super) caller: &'a str,
    pub(super) body: Value,
    pub(super) now: Now,
    /// The host by which the client reached this server.
    pub(super) reached: &'a str,
}

impl<'a> MemberCall<'a> {
    /// Finds the sender, which must hold the token of the last login.
    pub(super) fn identify(
        app: &'a App,
        kind: RoomType,
        call: &'a Call,
        now: Now,
    ) -> Result<Self, Failure> {
        let body = call.body.clone()?;
        let given = |name| call.query.get(name).ok_or(AuthError::Missing(name));
        let (caller, token) = (given("userID")?, given("token")?);
        app.auth.check(caller, token, now)?;
        call.prove(caller);
        if !app.by_user.admits(&caller.to_owned()) {
            return Err(Failure::TooManyRequests);
        }
        Ok(Self {
            app,
            kind,
            caller,
            body,
            now,
            reached: &call.reached,
        })
    }

    /// Whether the caller is to meet agents only.
    pub(super) fn is_kiosk(&self) -> bool {
        self.app.auth.role(self.caller) == UserRole::Kiosk
    }

    /// The body as this verb has it.
    pub(super) fn read<R: Request>(&self) -> Result<R, Failure> {
        Ok(request::parse(self.body.clone())?)
    }

    /// The room of that id.
    pub(super) fn room(&self, id: &str) -> RoomKey {
        RoomKey::new(self.kind, id)
    }

    /// Refuses a user that acts for somebody else.
    pub(super) fn must_be(&self, user_id: &str) -> Result<(), Failure> {
        if user_id == self.caller {
            Ok(())
        } else {
            Err(AuthError::OtherUser.into())
        }
    }
}

/// The outcome of a verb that answers nothing more.
pub(super) fn done() -> Outcome {
    Ok(Map::new())
}

/// Refuses a field that is too long.
pub(super) fn at_most(limit: usize, field: &str, text: &str) -> Result<(), Failure> {
    if text.len() <= limit {
        return Ok(());
    }
    let message = format!("{field} has {} bytes, {limit} are allowed", text.len());
    Err(Failure::new(Code::Parameter, message))
}
