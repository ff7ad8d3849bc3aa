//! The HTTP client of the room protocol: one method per verb, one request and one answer each.
//!
//! It keeps no state but its connections: the caller is passed as [`Identity`]. Each exchange
//! ends by its deadline with an answer or a named error; nothing is retried here, no redirect
//! is followed, no proxy of the environment is used, and TLS certificates are verified.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::protocol::answer::{
    self, Answer, AnswerError, CreatedRoom, Done, LoggedIn, LoginInfo, PushUrl, Room, RoomList,
};
use crate::protocol::request::{
    self as req, AddPusher, CreateRoom, DeletePusher, DestroyRoom, GetPushers, GetRoomList,
    PusherHeartbeat, Request,
};
use crate::protocol::{Code, ROOM_INFO_LIMIT, RoomType, Verb};

use super::address::{below, parse_base};
use super::client_settings::{ClientSettings, SetupError};
use super::error::{Endpoint, ErrorClass, RoomError};
use super::http::{fetch_patiently, http_client};
use crate::config::kiosk::UserCredentials;
use crate::tls::HttpClient;

/// Rooms per page: as many as the official clients ask for.
const PAGE: u32 = 20;
/// Maximum number of pages, against a server that never comes to an end: 1000 rooms.
const MAX_PAGES: u32 = 50;
/// Pages that are asked for at once, and the pause before each further one: a server that allows ten
/// requests a second is not to refuse the eleventh.
const QUICK_PAGES: u32 = 5;
const PAGE_PAUSE: Duration = Duration::from_millis(150);

/// The logged-in user: the result of a login.
#[derive(Debug, Clone)]
pub struct Identity {
    pub user_id: String,
    pub token: SecretString,
    /// Whether the room server says that it is a message service too.
    pub messages_here: bool,
    /// Whether it knows `call`, and renews this user's userSig.
    pub calls: bool,
    pub renews: bool,
}

/// The outcome of `create_room`, with the room's id. Both are fine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    New(String),
    /// The id was taken; inactive rooms are never reclaimed by the official servers.
    Existed(String),
}

impl Created {
    #[must_use]
    pub fn room_id(&self) -> &str {
        match self {
            Self::New(id) | Self::Existed(id) => id,
        }
    }
}

/// A room server that is asked about rooms of one type. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RoomClient {
    http: HttpClient,
    base: Url,
    /// The address for credentials, with connections of its own: it may be another host.
    login_info: (HttpClient, Url),
    room_type: RoomType,
    /// Limit for a whole exchange.
    deadline: Duration,
}

impl RoomClient {
    /// Sets up connections, without making one.
    ///
    /// # Errors
    /// An address that cannot be used, or no HTTP client.
    pub fn new(settings: &ClientSettings) -> Result<Self, SetupError> {
        let base = parse_base(&settings.base_url, settings.room_type)?;
        let http = http_client(settings, &settings.pins)?;
        let login_info = match &settings.login_info_url {
            // The room server's pins say nothing about another host's key.
            Some(url) => (http_client(settings, &[])?, url.clone()),
            None => (http.clone(), below(&base, "utils", "get_login_info")),
        };
        Ok(Self {
            http,
            base,
            login_info,
            room_type: settings.room_type,
            deadline: settings.deadline,
        })
    }

    /// Returns the same client with another deadline for a whole exchange.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    #[must_use]
    pub fn room_type(&self) -> RoomType {
        self.room_type
    }

    /// Asks for credentials; without `user_id` the server invents one.
    ///
    /// # Errors
    /// As every verb, and when Java answers success with empty fields: it could not sign.
    pub async fn get_login_info(
        &self,
        user_id: Option<&str>,
    ) -> Result<UserCredentials, RoomError> {
        let (http, mut url) = self.login_info.clone();
        if let Some(user_id) = user_id {
            url.query_pairs_mut().append_pair("userID", user_id);
        }
        let info: LoginInfo = self
            .exchange(&http, Endpoint::LoginInfo, http.get(url))
            .await?;
        let expect = |key, value: &str| not_empty(Endpoint::LoginInfo, key, value);
        expect("userID", &info.user_id)?;
        expect("userSig", &info.user_sig)?;
        Ok(UserCredentials {
            sdk_app_id: info.sdk_app_id,
            account_type: info.account_type,
            user_id: info.user_id,
            user_sig: info.user_sig.into(),
        })
    }

    /// Logs in; an earlier login of the same user, on any device, becomes void.
    ///
    /// # Errors
    /// Class [`ErrorClass::LoginAgain`] when the server refuses the userSig.
    pub async fn login(&self, credentials: &UserCredentials) -> Result<Identity, RoomError> {
        let mut url = self.verb_url(Verb::Login);
        url.query_pairs_mut()
            .append_pair("sdkAppID", &credentials.sdk_app_id.to_string())
            .append_pair("accountType", &credentials.account_type)
            .append_pair("userID", &credentials.user_id)
            .append_pair("userSig", credentials.user_sig.expose_secret());
        let post = self.http.post(url).json(&req::Login {});
        let (answer, messages_here): (LoggedIn, _) = self
            .answered(&self.http, Endpoint::Room(Verb::Login), post)
            .await?;
        not_empty(Endpoint::Room(Verb::Login), "token", &answer.token)?;
        let knows = |verb: Verb| answer.features.iter().any(|feature| feature == verb.path());
        Ok(Identity {
            user_id: credentials.user_id.clone(),
            token: answer.token.into(),
            messages_here,
            calls: knows(Verb::Call),
            renews: knows(Verb::RenewUserSig),
        })
    }

    /// Gives the token back. Node always answers -1, so the result means little.
    ///
    /// # Errors
    /// As every verb; to be ignored.
    pub async fn logout(&self, me: &Identity) -> Result<(), RoomError> {
        let done: Result<Done, _> = self.call(me, &req::Logout {}).await;
        done.map(drop)
    }

    /// Asks for a URL to push to, for one publisher. Java derives the stream from `room_id`.
    ///
    /// # Errors
    /// As every verb.
    pub async fn get_push_url(&self, me: &Identity, room_id: &str) -> Result<String, RoomError> {
        let request = req::GetPushUrl {
            room_id: (self.room_type != RoomType::Live).then(|| room_id.to_owned()),
            user_id: me.user_id.clone(),
        };
        let answer: PushUrl = self.call(me, &request).await?;
        not_empty(
            Endpoint::Room(Verb::GetPushUrl),
            "pushURL",
            &answer.push_url,
        )?;
        Ok(answer.push_url)
    }

    /// Lists all active rooms: pages are read until one brings nothing new. One that is not full is
    /// no end: a server may bound its answers by their bytes.
    ///
    /// # Errors
    /// As every verb.
    pub async fn get_room_list(&self, me: &Identity) -> Result<Vec<Room>, RoomError> {
        let mut rooms: Vec<Room> = Vec::new();
        let mut index = 0;
        for page in 0..MAX_PAGES {
            if page >= QUICK_PAGES {
                tokio::time::sleep(PAGE_PAUSE).await;
            }
            let listed = match self.get_room_page(me, index, PAGE).await {
                Err(error) if page > 0 => {
                    log::warn!(reason = error.reason(); "the list of rooms ends early");
                    break;
                }
                listed => listed?,
            };
            index += u32::try_from(listed.len()).unwrap_or(PAGE);
            let before = rooms.len();
            // Rooms that come and go meanwhile shift the pages, so one may be listed twice.
            for room in listed {
                if !rooms.iter().any(|known| known.room_id == room.room_id) {
                    rooms.push(room);
                }
            }
            if rooms.len() == before {
                break;
            }
        }
        Ok(rooms)
    }

    /// Lists at most `cnt` active rooms after the first `index`.
    ///
    /// # Errors
    /// As every verb.
    pub async fn get_room_page(
        &self,
        me: &Identity,
        index: u32,
        cnt: u32,
    ) -> Result<Vec<Room>, RoomError> {
        let list: RoomList = self.call(me, &GetRoomList { index, cnt }).await?;
        Ok(list.rooms)
    }

    /// Reads a room with its members, the caller included.
    ///
    /// # Errors
    /// Class [`ErrorClass::RoomGone`] when there is no such room or nobody has entered it yet.
    pub async fn get_pushers(&self, me: &Identity, room_id: &str) -> Result<Room, RoomError> {
        let room_id = room_id.to_owned();
        self.call(me, &GetPushers { room_id }).await
    }

    /// Reserves a room id; for an empty one the server invents an id.
    ///
    /// # Errors
    /// As every verb; `room_info` over 1024 bytes is refused here, because the servers differ.
    pub async fn create_room(
        &self,
        me: &Identity,
        room_id: &str,
        room_info: &str,
    ) -> Result<Created, RoomError> {
        if room_info.len() > ROOM_INFO_LIMIT {
            return Err(RoomError::RoomInfoTooLong {
                bytes: room_info.len(),
                limit: ROOM_INFO_LIMIT,
            });
        }
        let request = CreateRoom {
            user_id: me.user_id.clone(),
            room_info: room_info.to_owned(),
            room_id: room_id.to_owned(),
        };
        match self.call::<_, CreatedRoom>(me, &request).await {
            Ok(created) => {
                not_empty(Endpoint::Room(Verb::CreateRoom), "roomID", &created.room_id)?;
                Ok(Created::New(created.room_id))
            }
            Err(RoomError::Answer {
                source:
                    AnswerError::Refused {
                        code: Code::RoomExists,
                        ..
                    },
                ..
            }) => Ok(Created::Existed(room_id.to_owned())),
            Err(error) => Err(error),
        }
    }

    /// Destroys a room, which only its creator may do.
    ///
    /// # Errors
    /// As every verb.
    pub async fn destroy_room(&self, me: &Identity, room_id: &str) -> Result<(), RoomError> {
        let request = DestroyRoom {
            room_id: room_id.to_owned(),
            user_id: me.user_id.clone(),
        };
        self.call::<_, Done>(me, &request).await.map(drop)
    }

    /// Enters a room, or renews the caller's entry. The room must exist: both official servers
    /// are broken when this creates it. `request.user_id` is set to the caller.
    ///
    /// A server may fail although it stored the member (Node and Java do when only the
    /// notification failed): then the member list decides.
    ///
    /// # Errors
    /// Class [`ErrorClass::Full`] when no seat is free.
    pub async fn add_pusher(&self, me: &Identity, request: &AddPusher) -> Result<(), RoomError> {
        let mut request = request.clone();
        request.user_id.clone_from(&me.user_id);
        match self.call::<_, Done>(me, &request).await {
            Err(error) if error.may_have_worked() => {
                let stored = self
                    .get_pushers(me, &request.room_id)
                    .await
                    .is_ok_and(|room| room.pushers.iter().any(|p| p.user_id == me.user_id));
                if stored { Ok(()) } else { Err(error) }
            }
            other => other.map(drop),
        }
    }

    /// Leaves a room. Success includes not having been a member (any more).
    ///
    /// # Errors
    /// As every verb.
    pub async fn delete_pusher(&self, me: &Identity, room_id: &str) -> Result<(), RoomError> {
        let request = DeletePusher {
            room_id: room_id.to_owned(),
            user_id: me.user_id.clone(),
        };
        match self.call::<_, Done>(me, &request).await {
            Err(error) if error.class() == ErrorClass::ReAdd => Ok(()),
            other => other.map(drop),
        }
    }

    /// Tells the server that we are still there.
    ///
    /// # Errors
    /// Class [`ErrorClass::ReAdd`] when we are not a member (any more), or the room is gone.
    pub async fn heartbeat(&self, me: &Identity, room_id: &str) -> Result<(), RoomError> {
        let request = PusherHeartbeat {
            room_id: room_id.to_owned(),
            user_id: me.user_id.clone(),
        };
        self.call::<_, Done>(me, &request).await.map(drop)
    }

    /// Asks for any verb, by the type of its body.
    ///
    /// # Errors
    /// A named error within the deadline, whatever the peer does.
    pub async fn call<R: Request + Sync, A: Answer>(
        &self,
        me: &Identity,
        request: &R,
    ) -> Result<A, RoomError> {
        let mut url = self.verb_url(R::VERB);
        url.query_pairs_mut()
            .append_pair("userID", &me.user_id)
            .append_pair("token", me.token.expose_secret());
        self.post(url, request).await
    }

    fn verb_url(&self, verb: Verb) -> Url {
        below(&self.base, self.room_type.path(), verb.path())
    }

    async fn post<R: Request + Sync, A: Answer>(
        &self,
        url: Url,
        request: &R,
    ) -> Result<A, RoomError> {
        let post = self.http.post(url).json(request);
        self.exchange(&self.http, Endpoint::Room(R::VERB), post)
            .await
    }

    async fn exchange<A: Answer>(
        &self,
        http: &HttpClient,
        endpoint: Endpoint,
        request: reqwest::RequestBuilder,
    ) -> Result<A, RoomError> {
        let (answer, _) = self.answered(http, endpoint, request).await?;
        Ok(answer)
    }

    /// Returns the answer, and whether its head tells of a message service.
    async fn answered<A: Answer>(
        &self,
        http: &HttpClient,
        endpoint: Endpoint,
        request: reqwest::RequestBuilder,
    ) -> Result<(A, bool), RoomError> {
        let fetched = fetch_patiently(http, request, self.deadline).await;
        let fetched = fetched.map_err(|error| RoomError::fetch(endpoint, error))?;
        let answer = answer::parse(fetched.status, &fetched.body);
        let answer = answer.map_err(|error| RoomError::answer(endpoint, error))?;
        Ok((answer, fetched.messages_here))
    }
}

fn not_empty(endpoint: Endpoint, key: &'static str, value: &str) -> Result<(), RoomError> {
    if value.is_empty() {
        return Err(RoomError::answer(endpoint, AnswerError::Missing(key)));
    }
    Ok(())
}
