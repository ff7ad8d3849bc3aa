//! The participants of a demo call: the kiosk, one agent or three, and the room server between
//! them.

use std::time::Instant;

use anyhow::Result;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::side::Side;
use crate::protocol::RoomType;
use crate::room::ChannelState;
use crate::server::{RoomServer, Settings as ServerSettings};
use crate::session::{Command, Outgoing, Transition};

/// Everyone in the call, and the server between them.
#[derive(Debug)]
pub(crate) struct Participants {
    pub(crate) kiosk: Side,
    agents: Vec<Side>,
    pub(super) room_type: RoomType,
    base_url: String,
    server: JoinHandle<()>,
    stop: CancellationToken,
}

impl Participants {
    /// Starts a server with these settings, one agent, and the kiosk; nobody calls yet.
    pub(crate) async fn start(
        server: ServerSettings,
        room_type: RoomType,
        headless: bool,
    ) -> Result<Self> {
        let server = RoomServer::bind(server).await?;
        let base_url = format!("http://{}/weapp/", server.local_addr());
        let stop = CancellationToken::new();
        let server = tokio::spawn(server.run(stop.clone()));
        let agent = Side::agent(1, room_type, &base_url).await?;
        let kiosk = Side::kiosk(room_type, &base_url, headless).await?;
        Ok(Self {
            kiosk,
            agents: vec![agent],
            room_type,
            base_url,
            server,
            stop,
        })
    }

    /// The agent that the kiosk calls.
    pub(super) fn agent(&self) -> &Side {
        &self.agents[0]
    }

    /// Lets the kiosk call the agent; returns the moment at which it entered the room.
    pub(crate) async fn connect(&self) -> Result<Instant> {
        let ready = |state: &Transition| matches!(state, Transition::Attract);
        let in_call = |state: &Transition| matches!(state, Transition::InCall { .. });
        let (kiosk, agent) = (&self.kiosk, self.agent());
        agent.wait_for("the agent opens a room", in_call).await?;
        kiosk.wait_for("the kiosk logs in", ready).await?;
        kiosk.session().command(Command::Call).await?;
        kiosk.wait_for("the kiosk enters the room", in_call).await?;
        Ok(Instant::now())
    }

    /// Lets two more agents join, if the room is one of four.
    pub(super) async fn add_agents(&mut self) -> Result<()> {
        if self.room_type == RoomType::Multi {
            for number in 2..=3 {
                self.agents
                    .push(Side::agent(number, self.room_type, &self.base_url).await?);
            }
        }
        Ok(())
    }

    /// Lets both sides take note of what they hear.
    pub(super) async fn listen(&self) -> Result<()> {
        self.kiosk.listen(self.agent()).await?;
        self.agent().listen(&self.kiosk).await
    }

    /// Lets kiosk and agent send a text to each other, as soon as both have joined the message
    /// channel; returns whether they did.
    pub(super) async fn exchange_texts(&self) -> Result<bool> {
        for side in [&self.kiosk, self.agent()] {
            let status = side.session().status().await?;
            if status.room.channel.state != ChannelState::Joined {
                return Ok(false);
            }
        }
        let text = |text: &str| Outgoing::Text(text.to_owned());
        self.kiosk.session().send(text("Good morning")).await?;
        self.agent().session().send(text("How can I help?")).await?;
        Ok(true)
    }

    /// Ends the call and the server.
    pub(crate) async fn stop(self) {
        self.kiosk.stop().await;
        for agent in self.agents {
            agent.stop().await;
        }
        self.stop.cancel();
        if let Err(error) = self.server.await {
            log::error!("the room server ended badly: {error}");
        }
    }
}
