//! `[room]`: the room server, the kiosk's identity and the patience with both; `[im]`: the
//! message service.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::config::document::Section;
use crate::config::rules;
use crate::protocol::RoomType;
use crate::protocol::user_sig::Form;

/// `[room]`.
#[derive(Debug, Clone)]
pub struct Room {
    /// Base of the room server's verbs without the room type, ending in `/`:
    /// `{base_url}double_room/login`, `{base_url}utils/get_login_info`.
    pub base_url: Url,
    pub room_type: RoomType,
    pub role: Role,
    /// For a host only: the room to open; `None`: the server makes up an id.
    pub room_id: Option<String>,
    pub credentials: Credentials,
    /// Address to ask for an identity; `None`: the server's `utils/get_login_info`.
    pub login_info_url: Option<Url>,
    /// Limit for one request.
    pub request_timeout: Duration,
    /// Time between two heartbeats; the server drops a member after 20 s without one.
    pub heartbeat: Duration,
    /// Time between two looks at the member list while there is no message channel.
    pub poll: Duration,
    /// Agents that may be called: user ids, or beginnings followed by `*`. Empty: all.
    pub agents: Vec<String>,
    /// Time for an agent's first picture or sound to come before the next agent is asked.
    pub first_picture: Duration,
    /// For anybody to answer a customer, counted from their wish for a call.
    pub answer: Duration,
}

/// `[im]`: the message service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Im {
    /// At the room server's host and port if it says so, else Tencent's public service.
    Auto,
    /// Switched off: the member list is polled, and there are no messages.
    Off,
    /// At a scheme, host and port.
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

/// The way into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Joins the room of an idle agent.
    Guest,
    /// Opens a room of its own and waits.
    Host,
}

/// The identity of the kiosk, and its proof.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The server's `get_login_info`, asked again at every login; without a user id the
    /// server makes one up, which is then kept.
    GetLoginInfo {
        user_id: Option<String>,
    },
    Given(UserCredentials),
    /// Given except for the userSig, which stands in a file that is read at each login, so that
    /// it can be renewed in a running session.
    SigFile {
        sdk_app_id: u64,
        account_type: String,
        user_id: String,
        path: PathBuf,
    },
    /// Signed at each login with the private key in a file, for the official server of `form`.
    Key {
        sdk_app_id: u64,
        account_type: String,
        user_id: String,
        path: PathBuf,
        form: Form,
    },
}

/// The parts of a login.
#[derive(Debug, Clone)]
pub struct UserCredentials {
    pub sdk_app_id: u64,
    pub account_type: String,
    pub user_id: String,
    pub user_sig: SecretString,
}

/// Longest user id in bytes, by Tencent's documents.
const USER_ID: usize = 32;

/// Whether a text can be the user id of a kiosk.
#[must_use]
pub fn is_user_id(text: &str) -> bool {
    rules::is_identifier(text, USER_ID)
}

const LOGIN_INFO_ALLOWED: &str = "the address of a get_login_info such as \
     \"https://rooms.example.com/weapp/utils/get_login_info\", without a fragment";
const SERVER_URL: &str = "http://127.0.0.1:5757/weapp/";
const SERVER_URL_ALLOWED: &str = "the base of a room server such as \
     \"https://rooms.example.com/weapp\", without login, query or fragment";

impl Room {
    pub(super) fn read(room: &Section<'_>) -> Self {
        let (base_url, room_type) = read_address(room);
        let role = room.get(
            "mode",
            Role::Guest,
            rules::choice(&[("guest", Role::Guest), ("host", Role::Host)]),
        );
        // The room id is also the id of the message group, which Tencent limits to 48 bytes.
        let room_id = room.optional("room_id", rules::identifier(48));
        if role == Role::Guest {
            room.reject(
                "room_id",
                "only with mode = \"host\": a guest takes the room of an idle agent",
            );
        }
        Self {
            base_url,
            room_type,
            role,
            room_id,
            credentials: Credentials::read(room),
            login_info_url: room.optional(
                "login_info_url",
                rules::text(LOGIN_INFO_ALLOWED, |text| {
                    rules::address(text, &["http", "https"])
                }),
            ),
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
            agents: room.get("agents", Vec::new(), rules::agents),
            first_picture: room.get(
                "first_picture_seconds",
                Duration::from_secs(10),
                rules::seconds(2..=120),
            ),
            answer: room.get(
                "answer_seconds",
                Duration::from_secs(300),
                rules::seconds(10..=3600),
            ),
        }
    }
}

/// Reads the base address and the room type, which may also be the end of the address.
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
        let user_id = room.optional("user_id", rules::identifier(USER_ID));
        let sdk_app_id = room.optional("sdk_app_id", rules::whole(1..=u64::from(u32::MAX)));
        let account_type = room.optional("account_type", rules::identifier(32));
        let user_sig = room.secret("user_sig", rules::secret(16));
        let sig_file = room.optional("user_sig_file", rules::path);
        let key_file = room.optional("private_key_file", rules::path);
        let forms = [("node", Form::Node), ("java", Form::Java)];
        let form = room.get("user_sig_form", Form::Node, rules::choice(&forms));
        Self::reject_incomplete(room);
        let (Some(sdk_app_id), Some(account_type), Some(user_id)) =
            (sdk_app_id, account_type, user_id.clone())
        else {
            return Self::GetLoginInfo { user_id };
        };
        match (user_sig, sig_file, key_file) {
            (Some(user_sig), ..) => Self::Given(UserCredentials {
                sdk_app_id,
                account_type,
                user_id,
                user_sig,
            }),
            (_, Some(path), _) => Self::SigFile {
                sdk_app_id,
                account_type,
                user_id,
                path,
            },
            (_, _, Some(path)) => Self::Key {
                sdk_app_id,
                account_type,
                user_id,
                path,
                form,
            },
            _ => Self::GetLoginInfo {
                user_id: Some(user_id),
            },
        }
    }

    fn reject_incomplete(room: &Section<'_>) {
        const SIGS: [&str; 3] = ["user_sig", "user_sig_file", "private_key_file"];
        let mut given = SIGS.into_iter().filter(|key| room.has(key));
        let sig = given.next().unwrap_or("user_sig");
        for other in given {
            room.reject(other, format!("must not be given together with room.{sig}"));
        }
        let identity = ["sdk_app_id", "account_type"];
        room.require(
            &[&identity[..], &SIGS].concat(),
            &[&identity[..], &[sig, "user_id"]].concat(),
        );
        room.require(&["user_sig_form"], &["private_key_file"]);
        if SIGS.into_iter().any(|key| room.has(key)) {
            room.reject(
                "login_info_url",
                format!(
                    "must not be given together with room.{sig}: no credentials are asked for then"
                ),
            );
        }
    }
}
