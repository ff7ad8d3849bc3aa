//! Sorts the failures on the message channel by what they call for. Pure.

use crate::protocol::webim::{ERR_BAD_GROUP, ERR_NO_GROUP, ERR_REPLACED};
use crate::room::im_error::ImError;

/// The kind of a failure, by the reaction that it calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Another instance of our user took over.
    Replaced,
    /// The room has no group: its server could not make one, or it is gone.
    NoGroup,
    /// The service answered and refused.
    Refused,
    /// The service did not answer, or something else did.
    Away,
}

/// Finds the kind of a failure.
pub(super) fn trouble_of(error: &ImError) -> Trouble {
    match (error.code(), error) {
        (Some(ERR_REPLACED), _) => Trouble::Replaced,
        (Some(ERR_NO_GROUP | ERR_BAD_GROUP), _) => Trouble::NoGroup,
        (Some(_), _) | (None, ImError::NotAdmitted(_) | ImError::Credentials(_)) => {
            Trouble::Refused
        }
        (None, _) => Trouble::Away,
    }
}

/// Says in words what happened to us, who are `me`.
pub(super) fn reason_of(error: &ImError, me: &str) -> String {
    match trouble_of(error) {
        Trouble::Replaced => format!(
            "another device uses the user id {me:?} of this one, and gets its messages: \
             give each an id of its own (room.user_id); {error}"
        ),
        Trouble::NoGroup | Trouble::Refused | Trouble::Away => error.to_string(),
    }
}

/// Failures in a row from which on a group counts as lost. One may be bad luck; the silence of a
/// whole deadline is not.
const GROUP_FAILURES: u32 = 2;

/// Whether a group is lost after `failures` in a row, of which `error` is the last.
pub(super) fn group_is_lost(error: &ImError, failures: u32) -> bool {
    failures >= GROUP_FAILURES || error.is_timeout() || trouble_of(error) == Trouble::NoGroup
}

/// Failures of the ordinary poll in a row after which the official client counts as offline.
pub(super) const POLL_FAILURES: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::webim::{ImAnswerError, ImCommand};
    use crate::room::transport::TransportKind;

    #[test]
    fn table() {
        let command = ImCommand::BigGroupPoll;
        let refused = |code| ImError::Answer {
            command,
            source: ImAnswerError::Refused {
                code,
                info: String::new(),
            },
        };
        let broken = |kind| ImError::Transport {
            command,
            kind,
            source: None,
        };
        let html = ImError::Answer {
            command,
            source: ImAnswerError::NotJson { bytes: 6 },
        };
        for (error, expected, lost_at_once) in [
            (refused(91_101), Trouble::Replaced, false),
            (refused(10_010), Trouble::NoGroup, true),
            (refused(10_015), Trouble::NoGroup, true),
            (refused(70_009), Trouble::Refused, false),
            (refused(10_002), Trouble::Refused, false),
            (
                ImError::NotAdmitted("WaitAdminApproval".into()),
                Trouble::Refused,
                false,
            ),
            (broken(TransportKind::Connect), Trouble::Away, false),
            (broken(TransportKind::Timeout), Trouble::Away, true),
            (html, Trouble::Away, false),
        ] {
            assert_eq!(trouble_of(&error), expected, "{error}");
            assert_eq!(group_is_lost(&error, 1), lost_at_once, "{error}");
            assert!(group_is_lost(&error, 2), "{error}");
        }
    }
}
