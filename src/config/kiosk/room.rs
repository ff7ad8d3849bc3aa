//! `[room]`: which room server, as whom, and how patiently; `[im]`: where its messages come from.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::config::document::Section;
use crate::config::rules;

/// `[room]`.
#[derive(Debug, Clone)]
pub struct Room {
    /// Base of the room server's verbs without the room type, ending in `/`:
    /// `{base_url}double_room/login`, `{base_url}utils/get_login_info`.
    pub base_url: Url,
    pub room_type: RoomType,
    pub mode: Mode,
    /// Host only: the room to open; `None` = the server makes up an id.
    pub room_id: Option<String>,
    /// `None` = the server makes up an id (only with [`Credentials::GetLoginInfo`]).
    pub user_id: Option<String>,
    pub credentials: Credentials,
    /// Deadline of one request.
    pub request_timeout: Duration,
    /// Time between two heartbeats; the server drops a member after 20 s without one.
    pub heartbeat: Duration,
    /// Time between two looks at the member list while there is no message channel.
    pub poll: Duration,
}

/// `[im]`: the message service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Im {
    /// On the room server's host and port if it says so, else Tencent's public one.
    Auto,
    /// None: the member list is polled, and there are no messages.
    Off,
    /// Scheme, host and port.
    At(Url),
}

const IM_URL_ALLOWED: &str = "\"auto\", \"none\" or an address without a path such as \
     \"https://webim.tim.qq.com\"";

impl Im {
    pub(super) fn read(im: &Section<'_>) -> Self {
        im.get("url", Self::Auto, rules::text(IM_URL_ALLOWED, parse_im))
    }
}

fn parse_im(text: &str) -> Option<Im> {
    match text {
        "auto" => Some(Im::Auto),
        "none" => Some(Im::Off),
        _ => rules::address(text, &["http", "https"])
            .filter(|url| url.query().is_none() && url.path() == "/")
            .map(Im::At),
    }
}

/// The two kinds of rooms for calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomType {
    /// Two members.
    Double,
    /// Up to four members.
    Multi,
}

/// What the kiosk does to get into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Joins the room of an idle agent.
    Guest,
    /// Opens a room of its own and waits.
    Host,
}

/// How the kiosk proves who it is.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Asks for a signed identity: at this address, or by the server's `utils/get_login_info`.
    GetLoginInfo { url: Option<Url> },
    /// Brings its own; `user_id` is set then.
    Configured {
        sdk_app_id: u64,
        account_type: String,
        user_sig: UserSig,
    },
}

/// Where the userSig comes from.
#[derive(Debug, Clone)]
pub enum UserSig {
    Inline(SecretString),
    /// Read at each login, so that it can be renewed without a restart.
    File(PathBuf),
    /// Signed at each login with the private key in this file.
    Signed {
        key_file: PathBuf,
        form: SigForm,
    },
}

/// Which official server is to accept a userSig that the kiosk signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigForm {
    Node,
    Java,
}

const LOGIN_INFO_ALLOWED: &str = "the address of a get_login_info such as \
     \"https://rooms.example.com/weapp/utils/get_login_info\", without a fragment";
const SERVER_URL: &str = "http://127.0.0.1:5757/weapp/";
const SERVER_URL_ALLOWED: &str = "the base of a room server such as \
     \"https://rooms.example.com/weapp\", without login, query or fragment";

impl Room {
    pub(super) fn read(room: &Section<'_>) -> Self {
        let (base_url, room_type) = read_address(room);
        let mode = room.get(
            "mode",
            Mode::Guest,
            rules::choice(&[("guest", Mode::Guest), ("host", Mode::Host)]),
        );
        // The room id is also the id of the message group, which Tencent limits to 48 bytes.
        let room_id = room.optional("room_id", rules::identifier(48));
        if mode == Mode::Guest {
            room.reject(
                "room_id",
                "only with mode = \"host\": a guest takes the room of an idle agent",
            );
        }
        Self {
            base_url,
            room_type,
            mode,
            room_id,
            // Tencent limits user ids to 32 bytes.
            user_id: room.optional("user_id", rules::identifier(32)),
            credentials: Credentials::read(room),
            request_timeout: room.get(
                "request_timeout_ms",
                Duration::from_secs(5),
                rules::millis(500..=30_000),
            ),
            // 12 s leaves room for one lost heartbeat before the server's 20 s are over.
            heartbeat: room.get(
                "heartbeat_seconds",
                Duration::from_secs(7),
                rules::seconds(1..=12),
            ),
            poll: room.get(
                "poll_seconds",
                Duration::from_secs(2),
                rules::seconds(1..=30),
            ),
        }
    }
}

/// The base address and the room type, which may also be the end of the address.
fn read_address(room: &Section<'_>) -> (Url, RoomType) {
    let types = [("double", RoomType::Double), ("multi", RoomType::Multi)];
    let written = room.optional("type", rules::choice(&types));
    let (url, in_url) = room.get(
        "server_url",
        (
            Url::parse(SERVER_URL).expect("a constant that is a URL"),
            None,
        ),
        rules::text(SERVER_URL_ALLOWED, parse_base),
    );
    if let (Some(written), Some(in_url)) = (written, in_url)
        && written != in_url
    {
        room.reject(
            "server_url",
            "must not end in another room type than room.type",
        );
    }
    (url, written.or(in_url).unwrap_or(RoomType::Double))
}

/// Splits the room type off the address and ends it in `/`. `live_room` is for broadcasts:
/// a kiosk cannot call in it.
fn parse_base(text: &str) -> Option<(Url, Option<RoomType>)> {
    let mut url = rules::address(text, &["http", "https"]).filter(|url| url.query().is_none())?;
    let path = url.path().trim_end_matches('/').to_owned();
    let (base, last) = path.rsplit_once('/').unwrap_or(("", ""));
    let (base, room_type) = match last {
        "double_room" => (base, Some(RoomType::Double)),
        "multi_room" => (base, Some(RoomType::Multi)),
        "live_room" => return None,
        _ => (path.as_str(), None),
    };
    url.set_path(&format!("{base}/"));
    Some((url, room_type))
}

impl Credentials {
    fn read(room: &Section<'_>) -> Self {
        let sdk_app_id = room.optional("sdk_app_id", rules::whole(1..=u64::from(u32::MAX)));
        let account_type = room.optional("account_type", rules::identifier(32));
        let inline = room
            .secret("user_sig", rules::secret(16))
            .map(UserSig::Inline);
        let file = room
            .optional("user_sig_file", rules::path)
            .map(UserSig::File);
        let forms = [("node", SigForm::Node), ("java", SigForm::Java)];
        let form = room.get("user_sig_form", SigForm::Node, rules::choice(&forms));
        let signed = room
            .optional("private_key_file", rules::path)
            .map(|key_file| UserSig::Signed { key_file, form });
        let url = room.optional(
            "login_info_url",
            rules::text(LOGIN_INFO_ALLOWED, |text| {
                rules::address(text, &["http", "https"])
            }),
        );
        Self::reject_incomplete(room);
        match (sdk_app_id, account_type, inline.or(file).or(signed)) {
            (Some(sdk_app_id), Some(account_type), Some(user_sig)) => Self::Configured {
                sdk_app_id,
                account_type,
                user_sig,
            },
            _ => Self::GetLoginInfo { url },
        }
    }

    fn reject_incomplete(room: &Section<'_>) {
        const SIGS: [&str; 3] = ["user_sig", "user_sig_file", "private_key_file"];
        let mut given = SIGS.into_iter().filter(|key| room.has(key));
        let sig = given.next().unwrap_or("user_sig");
        for other in given {
            room.reject(other, format!("must not be given together with room.{sig}"));
        }
        let own = ["sdk_app_id", "account_type"];
        room.require(
            &[&own[..], &SIGS].concat(),
            &[&own[..], &[sig, "user_id"]].concat(),
        );
        room.require(&["user_sig_form"], &["private_key_file"]);
        if SIGS.into_iter().any(|key| room.has(key)) {
            room.reject(
                "login_info_url",
                format!("must not be given together with room.{sig}: nobody is asked then"),
            );
        }
    }
}
