//! Numbers and words of the message service: addresses, limits and error codes.

/// Tencent's public host, as the official client has it.
pub const PUBLIC_HOST: &str = "https://webim.tim.qq.com";

/// Header in a room server's answer to `login`, by which it says that it is a message service
/// too, on its own host and port. The official room servers use Tencent's and do not send it.
pub const HERE_HEADER: &str = "x-rtcroom-messages";
/// Value of [`HERE_HEADER`].
pub const HERE: &str = "here";
/// The query's `websdkappid`, the official client's.
pub const WEB_SDK_APP_ID: u64 = 537_048_168;
/// The query's `v`: the official client's version.
pub const VERSION: &str = "1.7.0";

/// Sender of a group's notices about itself.
pub const SYSTEM_ACCOUNT: &str = "@TIM#SYSTEM";
/// `JoinedStatus` of a user who is in the group now.
pub const JOINED: &str = "JoinedSuccess";
/// Profile entry that others see as `From_AccountNick`.
pub const TAG_NICK: &str = "Tag_Profile_IM_Nick";

/// Maximum size of a group message's body, in bytes: the official client's limit for text.
pub const GROUP_LIMIT: usize = 8_898;
/// Maximum size of a C2C message's body, in bytes: the official client's limit.
pub const C2C_LIMIT: usize = 12_000;

/// Nothing new within the hold time: not an error.
pub const ERR_POLL_TIMEOUT: i64 = 60_008;
/// Another instance of the same user took over.
pub const ERR_REPLACED: i64 = 91_101;
/// The message service broke.
pub const ERR_INTERNAL: i64 = 10_002;
/// A parameter is wrong.
pub const ERR_PARAMETER: i64 = 10_004;
/// Not allowed, for example to a user who is not in the group.
pub const ERR_PERMISSION: i64 = 10_007;
/// The group does not exist.
pub const ERR_NO_GROUP: i64 = 10_010;
/// The group's id is malformed.
pub const ERR_BAD_GROUP: i64 = 10_015;
/// The userSig is wrong.
pub const ERR_BAD_SIG: i64 = 70_009;
/// The sdkAppID is unknown.
pub const ERR_UNKNOWN_APP: i64 = 70_020;
