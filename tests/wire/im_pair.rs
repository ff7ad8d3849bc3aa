//! The message channel between two kiosks and the real server: texts and members at once, and a
//! call that does not mind when the channel breaks.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::net::SocketAddr;
use std::time::Duration;

use rtckiosk::config::kiosk::{Credentials, Role};
use rtckiosk::protocol::RoomType;
use rtckiosk::protocol::request::AddPusher;
use rtckiosk::room::{
    ChannelState, ClientSettings, EnterRoom, ImSettings, Message, RoomClient, RoomEvent,
    RoomHandle, RoomSession, RoomSnapshot, SessionSettings,
};
use rtckiosk::server::{RoomServer, Settings};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::im_gate::{Gate, Way};

const PATIENCE: Duration = Duration::from_secs(10);
const ROOM: &str = "branch7-c3";

struct Server {
    addr: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let server = RoomServer::bind(Settings::on_free_ports().unwrap());
        let server = server.await.unwrap();
        let addr = server.local_addr();
        let task = tokio::spawn(server.run(CancellationToken::new()));
        Self {
            addr,
            _task: AbortOnDropHandle::new(task),
        }
    }
}

struct Member {
    handle: RoomHandle,
    events: mpsc::Receiver<RoomEvent>,
    /// Changes of the channel so far: whether it came up.
    channel: Vec<bool>,
}

impl Member {
    /// A member whose room server is `room` and whose message service is `im`.
    fn start(room: SocketAddr, im: SocketAddr, user_id: &str) -> Self {
        let client = ClientSettings::new(format!("http://{room}/weapp"), RoomType::Multi);
        let mut settings = SessionSettings::new(client);
        settings.im = Some(ImSettings::At(format!("http://{im}/").parse().unwrap()));
        let (sender, events) = mpsc::channel(64);
        let user_id = Some(user_id.to_owned());
        let credentials = Credentials::GetLoginInfo { user_id };
        let handle = RoomSession::start(&settings, credentials, sender).unwrap();
        Self {
            handle,
            events,
            channel: vec![],
        }
    }

    async fn enter(&self, role: Role) {
        let push_url = self.handle.get_push_url(ROOM).await.unwrap();
        let seat = EnterRoom {
            room_id: ROOM.into(),
            room_info: "counter".into(),
            role,
            user_name: "Name".into(),
            user_avatar: String::new(),
            push_url,
        };
        self.handle.enter(seat).await.unwrap();
    }

    /// Into the room, and until its messages come.
    async fn settle(&self, role: Role) {
        self.enter(role).await;
        let joined = |state: &RoomSnapshot| state.channel.state == ChannelState::Joined;
        self.until("joined", joined).await;
    }

    async fn until(&self, what: &str, condition: impl FnMut(&RoomSnapshot) -> bool) {
        let mut snapshot = self.handle.snapshot();
        let waiting = timeout(PATIENCE, snapshot.wait_for(condition)).await;
        let state = self.handle.snapshot();
        assert!(waiting.is_ok(), "{what}: {:?}", state.borrow());
    }

    /// Waits for the next event that `pick` knows; all others are passed over.
    async fn next<T>(&mut self, what: &str, pick: impl Fn(&RoomEvent) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let event = self.events.recv().await.unwrap();
                match event {
                    RoomEvent::ChannelUp => self.channel.push(true),
                    RoomEvent::ChannelDown { .. } => self.channel.push(false),
                    _ => {}
                }
                let over = matches!(
                    event,
                    RoomEvent::RoomClosed { .. } | RoomEvent::Kicked { .. }
                );
                if let Some(picked) = pick(&event) {
                    return picked;
                }
                assert!(!over, "{event:?} instead of {what}");
            }
        };
        let event = timeout(PATIENCE, waiting).await;
        event.unwrap_or_else(|_| panic!("no {what} within {PATIENCE:?}"))
    }

    async fn joined(&mut self, user: &str) {
        self.next("MemberJoined", |event| match event {
            RoomEvent::MemberJoined(member) if member.user_id == user => Some(()),
            _ => None,
        })
        .await;
    }

    async fn left(&mut self, user: &str) {
        self.next("MemberLeft", |event| match event {
            RoomEvent::MemberLeft(member) if member.user_id == user => Some(()),
            _ => None,
        })
        .await;
    }

    async fn text(&mut self) -> Message {
        self.next("TextReceived", |event| match event {
            RoomEvent::TextReceived(message) => Some(message.clone()),
            _ => None,
        })
        .await
    }
}

#[tokio::test]
async fn texts_arrive_within_200_ms_in_order_and_once() {
    let server = Server::start().await;
    let mut agent = Member::start(server.addr, server.addr, "agent");
    let mut kiosk = Member::start(server.addr, server.addr, "kiosk");
    agent.settle(Role::Host).await;
    kiosk.settle(Role::Guest).await;
    for number in 0..8 {
        let text = format!("text {number}: <b>\"äö\" 您好 }}}}");
        let sent = Instant::now();
        kiosk.handle.send_text(&text).await.unwrap();
        let message = agent.text().await;
        let took = sent.elapsed();
        assert_eq!(
            (message.from.as_str(), message.text.as_str()),
            ("kiosk", text.as_str())
        );
        assert_eq!(message.nick, "Name");
        assert!(took < Duration::from_millis(200), "{took:?}");
    }
    agent.handle.send_text("back").await.unwrap();
    assert_eq!(kiosk.text().await.text, "back");
    let (sent, received) = {
        let state = kiosk.handle.snapshot();
        let channel = state.borrow().channel.clone();
        (channel.messages_sent, channel.messages_received)
    };
    assert_eq!((sent, received), (8, 1), "our own messages do not count");
    let too_long = kiosk.handle.send_text(&"x".repeat(9000)).await.unwrap_err();
    assert!(too_long.to_string().contains("8898"), "{too_long}");
}

#[tokio::test]
async fn commands_go_to_everybody_and_to_one() {
    let server = Server::start().await;
    let agent = Member::start(server.addr, server.addr, "agent");
    let mut kiosk = Member::start(server.addr, server.addr, "kiosk");
    agent.settle(Role::Host).await;
    kiosk.settle(Role::Guest).await;
    agent.handle.send_custom("lamp", "on").await.unwrap();
    let custom = kiosk
        .next("CustomReceived", |event| match event {
            RoomEvent::CustomReceived(message) => Some(message.clone()),
            _ => None,
        })
        .await;
    assert_eq!(
        (custom.cmd.as_deref(), custom.text.as_str()),
        (Some("lamp"), "on")
    );
    agent
        .handle
        .send_c2c("kiosk", "sketchpad", "{}")
        .await
        .unwrap();
    let c2c = kiosk
        .next("C2cReceived", |event| match event {
            RoomEvent::C2cReceived(message) => Some(message.clone()),
            _ => None,
        })
        .await;
    assert_eq!(
        (c2c.from.as_str(), c2c.cmd.as_deref()),
        ("agent", Some("sketchpad"))
    );
}

#[tokio::test]
async fn a_member_is_noticed_within_300_ms_of_coming_and_going() {
    let server = Server::start().await;
    let mut agent = Member::start(server.addr, server.addr, "agent");
    agent.settle(Role::Host).await;
    let kiosk = Member::start(server.addr, server.addr, "kiosk");
    for _ in 0..3 {
        // As far apart as people come and go.
        tokio::time::sleep(Duration::from_millis(400)).await;
        let entering = Instant::now();
        kiosk.enter(Role::Guest).await;
        agent.joined("kiosk").await;
        let took = entering.elapsed();
        assert!(took < Duration::from_millis(300), "came: {took:?}");
        tokio::time::sleep(Duration::from_millis(400)).await;
        let leaving = Instant::now();
        kiosk.handle.leave().await.unwrap();
        agent.left("kiosk").await;
        let took = leaving.elapsed();
        assert!(took < Duration::from_millis(300), "went: {took:?}");
    }
}

/// The channel breaks in this way during a call: a member who comes is noticed all the same,
/// and when the channel is whole again it is used again.
async fn survives(way: Way) {
    let server = Server::start().await;
    let gate = Gate::before(server.addr).await;
    let mut agent = Member::start(server.addr, gate.addr, "agent");
    agent.settle(Role::Host).await;
    let kiosk = Member::start(server.addr, server.addr, "kiosk");
    // The channel has found out by now how long polls are held.
    tokio::time::sleep(Duration::from_secs(3)).await;
    gate.set(way);
    let cut = Instant::now();
    kiosk.settle(Role::Guest).await;
    agent.joined("kiosk").await;
    let took = cut.elapsed();
    assert!(
        took < Duration::from_secs(3),
        "{way:?}: noticed after {took:?}"
    );
    let down = |state: &RoomSnapshot| state.channel.state != ChannelState::Joined;
    agent.until("down", down).await;
    let refused = agent.handle.send_text("into the void").await.unwrap_err();
    assert!(refused.to_string().contains("down"), "{refused}");
    kiosk.handle.leave().await.unwrap();
    agent.left("kiosk").await;
    gate.set(Way::Open);
    let up = |state: &RoomSnapshot| state.channel.state == ChannelState::Joined;
    agent.until("up", up).await;
    kiosk.settle(Role::Guest).await;
    agent.joined("kiosk").await;
    kiosk.handle.send_text("whole again").await.unwrap();
    assert_eq!(agent.text().await.text, "whole again");
    assert_eq!(agent.channel, [true, false, true]);
    let state = agent.handle.snapshot().borrow().clone();
    assert_eq!(
        (state.heartbeats_failed, state.re_adds),
        (0, 0),
        "{state:?}"
    );
}

#[tokio::test]
async fn a_channel_that_closes_is_survived() {
    survives(Way::Closed).await;
}

#[tokio::test]
async fn a_channel_that_talks_nonsense_is_survived() {
    survives(Way::Garbage).await;
}

#[tokio::test]
async fn a_channel_that_hangs_is_survived() {
    survives(Way::Hanging).await;
}

#[tokio::test]
async fn a_dissolved_room_is_closed_at_once() {
    let server = Server::start().await;
    let base_url = format!("http://{}/weapp", server.addr);
    let client = RoomClient::new(&ClientSettings::new(base_url, RoomType::Multi)).unwrap();
    let credentials = client.get_login_info(Some("agent")).await.unwrap();
    let me = client.login(&credentials).await.unwrap();
    client.create_room(&me, ROOM, "counter").await.unwrap();
    let seat = AddPusher {
        room_id: ROOM.into(),
        room_info: String::new(),
        user_id: String::new(),
        user_name: "Agent".into(),
        user_avatar: String::new(),
        push_url: client.get_push_url(&me, ROOM).await.unwrap(),
    };
    client.add_pusher(&me, &seat).await.unwrap();
    let mut kiosk = Member::start(server.addr, server.addr, "kiosk");
    kiosk.settle(Role::Guest).await;
    kiosk.joined("agent").await;
    let destroyed = Instant::now();
    client.destroy_room(&me, ROOM).await.unwrap();
    kiosk
        .next("RoomClosed", |event| {
            matches!(event, RoomEvent::RoomClosed { .. }).then_some(())
        })
        .await;
    let took = destroyed.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}
