//! A kiosk in a call between a played room server and a played message service.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::time::Duration;

use rtckiosk::config::kiosk::{Credentials, Role};
use rtckiosk::protocol::RoomType;
use rtckiosk::room::{
    ChannelState, ClientSettings, EnterRoom, ImSettings, Message, RoomEvent, RoomHandle,
    RoomSession, RoomSnapshot, SessionSettings, Timings,
};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::played::Played;
use crate::played_im::Service;
use crate::played_world::World;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A kiosk in a call with an agent, its room server and its message service.
pub(crate) struct Call {
    pub(crate) world: World,
    pub(crate) rooms: Played,
    pub(crate) service: Service,
    pub(crate) im: Played,
    pub(crate) handle: RoomHandle,
    pub(crate) events: mpsc::Receiver<RoomEvent>,
    /// Whether the channel was told to be down.
    pub(crate) told_down: bool,
}

impl Call {
    pub(crate) async fn prepare(guessed: bool) -> Self {
        let (world, service) = (World::default(), Service::default());
        let (rooms, im) = (world.start().await, service.start().await);
        world.put("r", "agent", "rtmp://h/live/agent?1");
        let mut settings = SessionSettings::new(ClientSettings::new(rooms.url(), RoomType::Double));
        settings.timings = Timings {
            heartbeat: Duration::from_secs(1),
            poll: Duration::from_millis(500),
            safety_poll: Duration::from_secs(60),
            ..Timings::default()
        };
        settings.client.deadline = Duration::from_secs(2);
        let public = format!("http://{}/", im.addr).parse().unwrap();
        settings.im = Some(if guessed {
            // The played room server tells of none.
            let room_server = rooms.url().parse().unwrap();
            ImSettings::AsTold {
                room_server,
                public,
            }
        } else {
            ImSettings::At(public)
        });
        let (sender, events) = mpsc::channel(64);
        let user_id = Some("kiosk".into());
        let credentials = Credentials::GetLoginInfo { user_id };
        let handle = RoomSession::start(&settings, credentials, sender).unwrap();
        Self {
            world,
            rooms,
            service,
            im,
            handle,
            events,
            told_down: false,
        }
    }

    pub(crate) async fn enter(&mut self, role: Role) {
        let seat = EnterRoom {
            room_id: "r".into(),
            room_info: "counter".into(),
            role,
            user_name: "Kiosk".into(),
            user_avatar: String::new(),
            push_url: "rtmp://h/live/kiosk?x".into(),
        };
        self.handle.enter(seat).await.unwrap();
        self.expect("MemberJoined").await;
    }

    /// In the room, and its messages come.
    pub(crate) async fn start() -> Self {
        let mut call = Self::prepare(false).await;
        call.enter(Role::Guest).await;
        let joined = |state: &RoomSnapshot| state.channel.state == ChannelState::Joined;
        call.until("joined", joined).await;
        call
    }

    pub(crate) async fn until(&self, what: &str, condition: impl FnMut(&RoomSnapshot) -> bool) {
        let mut snapshot = self.handle.snapshot();
        let waiting = timeout(PATIENCE, snapshot.wait_for(condition)).await;
        let state = self.handle.snapshot();
        assert!(waiting.is_ok(), "{what}: {:?}", state.borrow());
    }

    /// The next event of this name; the ones before it are dropped.
    pub(crate) async fn expect(&mut self, name: &str) -> RoomEvent {
        let waiting = async {
            loop {
                let event = self.events.recv().await.unwrap();
                self.told_down |= matches!(event, RoomEvent::ChannelDown { .. });
                if format!("{event:?}").starts_with(name) {
                    return event;
                }
            }
        };
        let event = timeout(PATIENCE, waiting).await;
        event.unwrap_or_else(|_| panic!("no event {name} within {PATIENCE:?}"))
    }

    pub(crate) async fn message(&mut self, name: &str) -> Message {
        match self.expect(name).await {
            RoomEvent::TextReceived(message)
            | RoomEvent::CustomReceived(message)
            | RoomEvent::C2cReceived(message) => message,
            other => panic!("{other:?}"),
        }
    }

    /// The agent is replaced by this one; noticed only if somebody looks.
    pub(crate) fn replace_agent(&self, user: &str) {
        self.world.remove("r", "agent");
        self.world.put("r", user, "rtmp://h/live/other?1");
    }

    /// The call goes on: still in the room, and the server hears of us.
    pub(crate) async fn goes_on(&self) {
        let before = self.rooms.count("pusher_heartbeat");
        sleep(Duration::from_millis(1500)).await;
        let state = self.handle.snapshot().borrow().clone();
        assert_eq!(state.room_id.as_deref(), Some("r"), "{state:?}");
        assert_eq!(state.heartbeats_failed, 0, "{state:?}");
        assert!(self.rooms.count("pusher_heartbeat") > before);
    }
}
