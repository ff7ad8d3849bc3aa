//! Refusals on the wire, and their numbers.

use serde_json::Value;

use super::hub::Refusal;
use crate::protocol::excerpt;
use crate::protocol::im_rest::{ErrorCode, RestBodyError};
use crate::protocol::user_sig::UserSigError;
use crate::protocol::webim;
use crate::server::auth::AuthError;

/// The reason for which a request is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: ErrorCode,
    pub(super) info: String,
}

pub(super) type Outcome = Result<Value, Failure>;

impl Failure {
    /// `info` may quote what was asked: it is cut short.
    pub(super) fn new(code: ErrorCode, info: impl AsRef<str>) -> Self {
        let info = excerpt(info.as_ref());
        Self { code, info }
    }

    /// The answer that says so.
    pub(super) fn answer(&self) -> Value {
        webim::fail(self.code.number(), &self.info)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::NotLoggedIn => ErrorCode::Expired,
            Refusal::Kicked => ErrorCode::Kicked,
            Refusal::NoSuchGroup => ErrorCode::NoSuchGroup,
            Refusal::NoSuchReader
            | Refusal::NotAMember
            | Refusal::RoomsGroup
            | Refusal::MembersOnly
            | Refusal::TooManyAnonymous => ErrorCode::NoPermission,
            Refusal::IdTaken => ErrorCode::GroupIdTaken,
            Refusal::IdYours => ErrorCode::GroupIdYours,
            Refusal::TooManyGroups | Refusal::InboxFull => ErrorCode::Internal,
            Refusal::NoSuchUser => ErrorCode::NoSuchUser,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        let code = match &error {
            AuthError::Missing(_) | AuthError::BadUserId => ErrorCode::BadParameter,
            AuthError::OtherApp(_) | AuthError::UserSig(UserSigError::OtherApp(_)) => {
                ErrorCode::UnknownApp
            }
            AuthError::UserSig(UserSigError::Expired(_)) => ErrorCode::Expired,
            AuthError::UserSig(UserSigError::OtherUser(_)) => ErrorCode::OtherUser,
            AuthError::UserSig(_) => ErrorCode::BadSignature,
            AuthError::NotLoggedIn
            | AuthError::OtherToken
            | AuthError::OtherUser
            | AuthError::DoesNotSign
            | AuthError::NotOurs
            | AuthError::Revoked
            | AuthError::Reserved => ErrorCode::NoPermission,
        };
        Self::new(code, error.to_string())
    }
}

impl From<RestBodyError> for Failure {
    fn from(error: RestBodyError) -> Self {
        Self::new(ErrorCode::BadParameter, error.to_string())
    }
}
