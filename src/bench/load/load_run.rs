//! The state that all members of a load share.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::connection::{Connection, Reply, path};
use super::connection_plan::{BASELINE_CONNECTIONS, ConnectionPlan};
use super::tally::Tally;
use crate::protocol::answer::{self, Answer};
use crate::protocol::{RoomType, webim};

/// Longest time for an answer while thousands of members log in.
const ENTER_DEADLINE: Duration = Duration::from_secs(30);

/// One run of the benchmark.
#[derive(Debug)]
pub(super) struct LoadRun {
    pub(super) server: SocketAddr,
    pub(super) room_type: RoomType,
    pub(super) members: usize,
    pub(super) plan: ConnectionPlan,
    /// Time from which on members send heartbeats at even distances.
    pub(super) start: Instant,
    pub(super) tally: Tally,
    /// Connections for everything but polls; a member has the one of its number, and shares it
    /// when there are fewer. There is at least one.
    connections: Vec<Mutex<Connection>>,
    /// Connections to another server that is asked the same; empty without one.
    baseline_connections: Vec<Mutex<Connection>>,
}

impl LoadRun {
    pub(super) fn new(
        room_type: RoomType,
        members: usize,
        plan: ConnectionPlan,
        server: SocketAddr,
        baseline: Option<SocketAddr>,
    ) -> Self {
        let connections = |server, count| {
            (0..count)
                .map(|number| Mutex::new(Connection::new(server, number)))
                .collect()
        };
        Self {
            server,
            room_type,
            members,
            plan,
            start: Instant::now(),
            tally: Tally::default(),
            connections: connections(server, plan.others),
            baseline_connections: baseline
                .map(|addr| connections(addr, BASELINE_CONNECTIONS))
                .unwrap_or_default(),
        }
    }

    /// The connection of the member of this number.
    pub(super) fn connection(&self, number: usize) -> &Mutex<Connection> {
        &self.connections[number % self.connections.len()]
    }

    pub(super) fn baseline_connection(&self, number: usize) -> Option<&Mutex<Connection>> {
        let place = number.checked_rem(self.baseline_connections.len())?;
        self.baseline_connections.get(place)
    }

    /// Asks the room server.
    pub(super) async fn ask<A: Answer>(
        &self,
        number: usize,
        target: &str,
        body: Option<String>,
    ) -> Result<A> {
        let reply = self.reply(number, target, body).await?;
        answer::parse(reply.status, &reply.body).with_context(|| path(target).to_owned())
    }

    /// Asks the message service.
    pub(super) async fn ask_messages<A: DeserializeOwned>(
        &self,
        number: usize,
        target: &str,
        body: &impl Serialize,
    ) -> Result<A> {
        let body = Some(serde_json::to_string(body)?);
        let reply = self.reply(number, target, body).await?;
        webim::parse(&reply.body).with_context(|| path(target).to_owned())
    }

    async fn reply(&self, number: usize, target: &str, body: Option<String>) -> Result<Reply> {
        let mut connection = self.connection(number).lock().await;
        let reply = connection.ask(target, body, ENTER_DEADLINE).await?;
        self.tally.answered();
        Ok(reply)
    }
}
