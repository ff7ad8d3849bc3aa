//! Response codes of the room servers, with the meaning each official server gives them.

use super::verb::Verb;

/// The `code` of a room server's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// 0.
    Ok,
    /// -1: any exception, of Node.
    Exception,
    /// 1.
    Parameter,
    /// 2: Java only.
    MissingParameter,
    /// 3.
    RoomMissing,
    /// 4: Java only.
    Login,
    /// 5.
    NotAMember,
    /// 6.
    GroupCreation,
    /// 7.
    Auth,
    /// 10: Node only.
    RoomInfoTooLong,
    /// 11.
    RoomExists,
    /// 5001.
    RoomFull,
    /// A number that no known server documents.
    Other(i64),
}

impl Code {
    /// Every documented code.
    pub const KNOWN: [Self; 12] = [
        Self::Ok,
        Self::Exception,
        Self::Parameter,
        Self::MissingParameter,
        Self::RoomMissing,
        Self::Login,
        Self::NotAMember,
        Self::GroupCreation,
        Self::Auth,
        Self::RoomInfoTooLong,
        Self::RoomExists,
        Self::RoomFull,
    ];

    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Ok => 0,
            Self::Exception => -1,
            Self::Parameter => 1,
            Self::MissingParameter => 2,
            Self::RoomMissing => 3,
            Self::Login => 4,
            Self::NotAMember => 5,
            Self::GroupCreation => 6,
            Self::Auth => 7,
            Self::RoomInfoTooLong => 10,
            Self::RoomExists => 11,
            Self::RoomFull => 5001,
            Self::Other(number) => number,
        }
    }

    #[must_use]
    pub fn from_number(number: i64) -> Self {
        Self::KNOWN
            .into_iter()
            .find(|code| code.number() == number)
            .unwrap_or(Self::Other(number))
    }

    /// The official Node server's meaning; `None` if it never sends the code.
    #[must_use]
    pub const fn node_meaning(self) -> Option<&'static str> {
        Some(match self {
            Self::Ok => "ok, and also an unknown path or a wrong method",
            Self::Exception => "exception; the text stands in `error`, not in `message`",
            Self::Parameter => "missing parameter; audience list full",
            Self::RoomMissing => "room missing or not active; not its creator",
            Self::NotAMember => "not a member of the room",
            Self::GroupCreation => "the message group could not be created",
            Self::Auth => "login or token refused",
            Self::RoomInfoTooLong => "roomInfo over 1024 bytes; mergeParams not JSON",
            Self::RoomExists => "room exists",
            Self::RoomFull => "room full",
            Self::MissingParameter | Self::Login | Self::Other(_) => return None,
        })
    }

    /// The official Java server's meaning; `None` if it never sends the code.
    #[must_use]
    pub const fn java_meaning(self) -> Option<&'static str> {
        Some(match self {
            Self::Ok => "ok",
            Self::Parameter => "get_pushers: room missing; get_login_info: cannot sign",
            Self::MissingParameter => "parameter null or missing",
            Self::RoomMissing => "room missing (custom fields); not its creator",
            Self::Login => "login: missing parameter or exception",
            Self::NotAMember => "not a member of the room",
            Self::GroupCreation => "the message group could not be created",
            Self::Auth => "login or token refused",
            Self::RoomExists => "room exists, or roomInfo over 1024 characters",
            Self::RoomFull => "room full; audience list full",
            Self::Exception | Self::RoomInfoTooLong | Self::Other(_) => return None,
        })
    }

    /// Whether this answer to `verb` says that the identity is not, or no longer, accepted, so
    /// that only a new login helps.
    ///
    /// Node answers a userSig it cannot decode with -1, Java a broken login with 4.
    #[must_use]
    pub fn means_login_again(self, verb: Verb) -> bool {
        match self {
            Self::Auth => true,
            Self::Login | Self::Exception => verb == Verb::Login,
            _ => false,
        }
    }

    /// Whether this answer to `verb` says that the room does not exist (any more).
    ///
    /// Java says 1 where Node says 3; the kiosk always sends every parameter, so 1 cannot
    /// mean a missing one.
    #[must_use]
    pub fn means_room_missing(self, verb: Verb) -> bool {
        match self {
            Self::RoomMissing => verb != Verb::DestroyRoom,
            Self::Parameter => verb == Verb::GetPushers,
            _ => false,
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = self.number();
        match self.node_meaning().or(self.java_meaning()) {
            Some(meaning) => write!(f, "{number} ({meaning})"),
            None => write!(f, "{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_map_both_ways() {
        for code in Code::KNOWN {
            assert_eq!(Code::from_number(code.number()), code);
            assert!(code.node_meaning().or(code.java_meaning()).is_some());
        }
        assert_eq!(Code::from_number(404), Code::Other(404));
        assert_eq!(Code::Other(404).to_string(), "404");
    }

    #[test]
    fn the_servers_differ_and_both_are_understood() {
        assert!(Code::Parameter.means_room_missing(Verb::GetPushers));
        assert!(Code::RoomMissing.means_room_missing(Verb::GetPushers));
        assert!(!Code::Parameter.means_room_missing(Verb::AddPusher));
        assert!(Code::Exception.means_login_again(Verb::Login));
        assert!(!Code::Exception.means_login_again(Verb::AddPusher));
        assert!(Code::Auth.means_login_again(Verb::AddPusher));
    }
}
