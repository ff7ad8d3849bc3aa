//! Refusals of the hub.

/// The reason for which the hub does not do what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("not logged in, or the login expired")]
    NotLoggedIn,
    #[error("this user logged in elsewhere")]
    Kicked,
    #[error("no such group")]
    NoSuchGroup,
    #[error("the key is not, or no longer, that of a reader: join again")]
    NoSuchReader,
    #[error("not a member of the group")]
    NotAMember,
    #[error("the group is for users that are logged in")]
    MembersOnly,
    #[error("the group belongs to a room of this server")]
    RoomsGroup,
    #[error("the group id is taken by another owner")]
    IdTaken,
    #[error("the group id is taken, by you")]
    IdYours,
    #[error("too many groups")]
    TooManyGroups,
    #[error("too many readers without a login")]
    TooManyAnonymous,
    #[error("the user is not logged in")]
    NoSuchUser,
    #[error("too much is waiting for the user")]
    InboxFull,
}
