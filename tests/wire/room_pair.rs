//! Room sessions and the real room server in one process: two members see each other, and the
//! call survives what happens to the server.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::net::SocketAddr;
use std::time::Duration;

use rtckiosk::config::kiosk::{Credentials, Role};
use rtckiosk::protocol::RoomType;
use rtckiosk::room::{
    ClientSettings, EnterRoom, ErrorClass, Identity, RoomClient, RoomEvent, RoomHandle,
    RoomSession, RoomSnapshot, SessionSettings, Timings,
};
use rtckiosk::server::{RoomServer, Settings};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

const MEMBER_TIMEOUT: Duration = Duration::from_secs(3);
const HEARTBEAT: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(10);

/// The real server; silent members are dropped after three seconds instead of twenty.
struct Server {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into()).await
    }

    /// A new server, with new keys and nothing in its memory.
    async fn start_at(addr: SocketAddr) -> Self {
        let mut settings = Settings::on_free_ports().unwrap();
        settings.http.listen = addr;
        settings.rules.member_timeout = MEMBER_TIMEOUT;
        settings.sweep = Duration::from_millis(200);
        let server = RoomServer::bind(settings).await.unwrap();
        let addr = server.local_addr();
        let task = tokio::spawn(server.run(CancellationToken::new()));
        Self { addr, task }
    }

    /// Ends it without a goodbye; returns where it was.
    async fn kill(self) -> SocketAddr {
        self.task.abort();
        let _ = self.task.await;
        self.addr
    }

    fn client(&self, kind: RoomType) -> ClientSettings {
        ClientSettings::new(format!("http://{}/weapp", self.addr), kind)
    }
}

struct Member {
    handle: RoomHandle,
    events: mpsc::Receiver<RoomEvent>,
}

impl Member {
    fn start(server: &Server, user_id: &str, kind: RoomType) -> Self {
        let timings = Timings {
            heartbeat: HEARTBEAT,
            poll: Duration::from_millis(100),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_millis(500),
            return_grace: Duration::from_secs(4),
            ..Timings::default()
        };
        let settings = SessionSettings {
            timings,
            ..SessionSettings::new(server.client(kind))
        };
        let (sender, events) = mpsc::channel(32);
        let user_id = Some(user_id.to_owned());
        let credentials = Credentials::GetLoginInfo { user_id };
        let handle = RoomSession::start(&settings, credentials, sender).unwrap();
        Self { handle, events }
    }

    async fn seat(&self, room_id: &str, role: Role) -> EnterRoom {
        EnterRoom {
            room_id: room_id.into(),
            room_info: "counter".into(),
            role,
            user_name: "Name".into(),
            user_avatar: String::new(),
            push_url: self.handle.get_push_url(room_id).await.unwrap(),
        }
    }

    /// Opens a room with an id of the server's and waits in it.
    async fn host(&self) -> String {
        let created = self.handle.create_room("", "counter").await.unwrap();
        let room_id = created.room_id().to_owned();
        let seat = self.seat(&room_id, Role::Host).await;
        self.handle.enter(seat).await.unwrap();
        room_id
    }

    async fn join(&self, room_id: &str) {
        let seat = self.seat(room_id, Role::Guest).await;
        self.handle.enter(seat).await.unwrap();
    }

    /// The next event of this name; none of `unwanted` may come before it.
    async fn expect(&mut self, name: &str, unwanted: &[&str]) -> RoomEvent {
        let waiting = async {
            loop {
                let event = self.events.recv().await.unwrap();
                let text = format!("{event:?}");
                if text.starts_with(name) {
                    return event;
                }
                let is_unwanted = unwanted.iter().any(|other| text.starts_with(other));
                assert!(!is_unwanted, "{text} instead of {name}");
            }
        };
        let event = timeout(PATIENCE, waiting).await;
        event.unwrap_or_else(|_| panic!("no event {name} within {PATIENCE:?}"))
    }

    async fn until(&self, what: &str, condition: impl FnMut(&RoomSnapshot) -> bool) {
        let mut snapshot = self.handle.snapshot();
        let waiting = timeout(PATIENCE, snapshot.wait_for(condition)).await;
        assert!(
            waiting.is_ok(),
            "{what}: {:?}",
            self.handle.snapshot().borrow()
        );
    }

    fn others(&self) -> Vec<String> {
        let snapshot = self.handle.snapshot();
        let members = &snapshot.borrow().members;
        members.iter().map(|m| m.user_id.clone()).collect()
    }
}

/// Starts an agent that waits, and a kiosk that found it.
async fn call(server: &Server) -> (Member, Member, String) {
    let mut agent = Member::start(server, "agent", RoomType::Double);
    let mut kiosk = Member::start(server, "kiosk", RoomType::Double);
    assert_eq!(
        kiosk
            .handle
            .find_idle_room(rtckiosk::room::Search::default())
            .await
            .unwrap(),
        None
    );
    let room_id = agent.host().await;
    let room = kiosk
        .handle
        .find_idle_room(rtckiosk::room::Search::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (room.room_id.as_str(), room.room_info.as_str()),
        (room_id.as_str(), "counter")
    );
    kiosk.join(&room_id).await;
    for (member, other) in [(&mut agent, "kiosk"), (&mut kiosk, "agent")] {
        let RoomEvent::MemberJoined(joined) = member.expect("MemberJoined", &[]).await else {
            unreachable!();
        };
        assert_eq!(joined.user_id, other);
        assert!(
            joined.accelerate_url.starts_with("rtmp://"),
            "{}",
            joined.accelerate_url
        );
    }
    (agent, kiosk, room_id)
}

async fn log_in_as(server: &Server, user_id: &str) -> (RoomClient, Identity) {
    let client = RoomClient::new(&server.client(RoomType::Double)).unwrap();
    let credentials = client.get_login_info(Some(user_id)).await.unwrap();
    let identity = client.login(&credentials).await.unwrap();
    (client, identity)
}

#[tokio::test]
async fn two_see_each_other_and_the_silent_one_is_reaped() {
    let server = Server::start().await;
    let (agent, mut kiosk, _) = call(&server).await;
    // Longer than the server waits for a silent member.
    sleep(MEMBER_TIMEOUT + Duration::from_secs(1)).await;
    kiosk
        .until("heartbeats", |state| state.heartbeats_ok >= 6)
        .await;
    assert_eq!(
        (agent.others(), kiosk.others()),
        (vec!["kiosk".into()], vec!["agent".into()])
    );
    assert_eq!(kiosk.handle.snapshot().borrow().heartbeats_failed, 0);
    let silent = Instant::now();
    drop(agent);
    let RoomEvent::MemberLeft(left) = kiosk.expect("MemberLeft", &["RoomClosed"]).await else {
        unreachable!();
    };
    assert_eq!(left.user_id, "agent");
    assert!(
        silent.elapsed() > MEMBER_TIMEOUT / 3,
        "{:?}",
        silent.elapsed()
    );
    kiosk.handle.stop().await.unwrap();
}

#[tokio::test]
async fn who_leaves_is_gone_at_once_and_a_full_room_says_so() {
    let server = Server::start().await;
    let (mut agent, kiosk, room_id) = call(&server).await;
    let third = Member::start(&server, "third", RoomType::Double);
    assert_eq!(
        third
            .handle
            .find_idle_room(rtckiosk::room::Search::default())
            .await
            .unwrap(),
        None
    );
    let seat = third.seat(&room_id, Role::Guest).await;
    let error = third.handle.enter(seat.clone()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Full, "{error}");
    kiosk.handle.leave().await.unwrap();
    agent.expect("MemberLeft", &[]).await;
    third.handle.enter(seat).await.unwrap();
    third.handle.leave().await.unwrap();
    agent.handle.leave().await.unwrap();
    let error = kiosk
        .handle
        .enter(kiosk.seat(&room_id, Role::Guest).await)
        .await;
    assert_eq!(error.unwrap_err().class(), ErrorClass::RoomGone);
}

#[tokio::test]
async fn four_meet_in_a_multi_room() {
    let server = Server::start().await;
    let host = Member::start(&server, "host", RoomType::Multi);
    let room_id = host.host().await;
    let mut guests = Vec::new();
    for user in ["a", "b", "c"] {
        let guest = Member::start(&server, user, RoomType::Multi);
        guest.join(&room_id).await;
        guests.push(guest);
    }
    for member in guests.iter().chain([&host]) {
        member
            .until("three others", |state| state.members.len() == 3)
            .await;
    }
}

#[tokio::test]
async fn the_call_survives_a_restart_of_the_room_server() {
    let server = Server::start().await;
    let (mut agent, mut kiosk, room_id) = call(&server).await;
    let addr = server.kill().await;
    kiosk.expect("ServerUnreachable", &["MemberLeft"]).await;
    sleep(Duration::from_secs(3)).await;
    let server = Server::start_at(addr).await;
    for member in [&mut agent, &mut kiosk] {
        let unwanted = ["MemberLeft", "RoomClosed", "Kicked"];
        member.expect("ServerReachable", &unwanted).await;
        member.until("back", |state| state.re_adds >= 1).await;
    }
    let restarted = Instant::now();
    let (client, me) = log_in_as(&server, "observer").await;
    loop {
        let rooms = client.get_room_list(&me).await.unwrap_or_default();
        let room = rooms.iter().find(|room| room.room_id == room_id);
        if room.is_some_and(|room| room.pushers.len() == 2) {
            break;
        }
        assert!(restarted.elapsed() < PATIENCE);
        sleep(Duration::from_millis(50)).await;
    }
    // Longer than the grace for those who are absent: nobody counts as gone.
    sleep(Duration::from_secs(5)).await;
    for member in [&mut agent, &mut kiosk] {
        assert_eq!(member.others().len(), 1);
        while let Ok(event) = member.events.try_recv() {
            assert!(!format!("{event:?}").contains("Left"), "{event:?}");
        }
    }
}

#[tokio::test]
async fn who_is_thrown_out_by_a_second_login_comes_back() {
    let server = Server::start().await;
    let (agent, mut kiosk, room_id) = call(&server).await;
    let (client, twin) = log_in_as(&server, "kiosk").await;
    client.delete_pusher(&twin, &room_id).await.unwrap();
    kiosk.expect("LoggedIn", &["RoomClosed", "Kicked"]).await;
    kiosk.until("back", |state| state.re_adds == 1).await;
    agent
        .until("the kiosk again", |state| state.members.len() == 1)
        .await;
    // The twin's token was voided in turn.
    let error = client.heartbeat(&twin, &room_id).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::LoginAgain, "{error}");
}
