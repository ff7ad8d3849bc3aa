//! One RTMP connection: socket, deadlines, and the role it plays in the hub.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::command::Status;
use super::config::RelayConfig;
use super::conversation::{Conversation, Request, StreamName};
use super::end_reason::EndReason;
use super::gate::Gate;
use super::hub::{Hub, Presence};
use super::media::Media;
use super::rights;
use super::role::Role;
use super::socket;
use super::transport::{Inbound, MAX_EARLY_MESSAGE, Outbound};
use super::user::User;
use crate::protocol::rtmp::Message;
use crate::server::clock::Calendar;
use crate::server::places::Place;
use crate::tls::ServerTls;

/// Bytes that are taken from a player's queue at once: the rest stays where it can be dropped.
const BATCH: usize = 64 * 1024;
/// Bytes of answers that may wait for a client that does not read, before it is not read from
/// either.
const MAX_UNSENT: usize = 256 * 1024;
/// Time that a closing connection gets to take its last status.
const LINGER: Duration = Duration::from_secs(1);

/// Things that all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: RelayConfig,
    pub(super) calendar: Calendar,
    pub(super) hub: Arc<Hub>,
    pub(super) gate: Arc<dyn Gate>,
}

/// A client that was let in.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) tls: Option<ServerTls>,
    pub(super) place: Place,
}

/// Serves one client until it leaves, misbehaves or `stop` is cancelled, or its place is needed.
pub(super) async fn serve(client: Client, shared: Arc<Shared>, stop: CancellationToken) {
    let Client {
        socket,
        peer,
        tls,
        place,
    } = client;
    let evicted = place.evicted().clone();
    let served = serve_in(place, (socket, peer), tls, shared, stop);
    if evicted.run_until_cancelled(served).await.is_none() {
        log::debug!(peer:%; "a connection without a user gives way");
    }
}

async fn serve_in(
    place: Place,
    (socket, peer): (TcpStream, SocketAddr),
    tls: Option<ServerTls>,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    if let Err(error) = socket.set_nodelay(true) {
        log::debug!(peer:%, error:%; "cannot set TCP_NODELAY");
    }
    let setup_time = shared.config.handshake_timeout;
    let setup = (Instant::now() + setup_time, setup_time);
    let sides = socket::open(socket, peer, tls.as_ref(), setup_time);
    let Some(Some((read, write))) = stop.run_until_cancelled(sides).await else {
        return;
    };
    let mut connection = Connection {
        peer,
        conversation: Conversation::new(shared.config.app.clone()),
        inbound: Inbound::new(read, shared.config.receiving.share()),
        outbound: Outbound::new(write),
        role: Role::None,
        notified: false,
        setup,
        shared,
        place,
    };
    let handshake = timeout_at(setup.0, connection.handshake());
    let ended = tokio::select! {
        result = handshake => match result {
            Ok(Ok(())) => connection.run(&stop).await,
            Ok(Err(ended)) => ended,
            Err(_) => EndReason::SetupTooSlow(setup_time),
        },
        () = stop.cancelled() => EndReason::Stopping,
    };
    connection.close(&ended).await;
}

/// A client, and the part that it plays.
#[derive(Debug)]
struct Connection {
    peer: SocketAddr,
    shared: Arc<Shared>,
    conversation: Conversation,
    inbound: Inbound,
    outbound: Outbound,
    role: Role,
    /// The player has been told that nobody publishes.
    notified: bool,
    /// The moment by which it must have a role, and the time that it had for that.
    setup: (Instant, Duration),
    place: Place,
}

/// A moment by which something must have happened.
#[derive(Debug, Clone, Copy)]
enum Deadline {
    Setup,
    Idle,
    Write,
    /// Not a fault: time to look whether something changed.
    Look,
}

impl Connection {
    /// Shakes hands; what came behind the handshake is kept.
    async fn handshake(&mut self) -> Result<(), EndReason> {
        let mut handshake = Handshake::new(PeerType::Server);
        loop {
            if self.inbound.fill().await? == 0 {
                return Err(EndReason::ByClient);
            }
            let input = self.inbound.buffer.split();
            let result = handshake.process_bytes(&input);
            let (answer, rest) = match result.map_err(|e| EndReason::Handshake(e.to_string()))? {
                HandshakeProcessResult::InProgress { response_bytes } => (response_bytes, None),
                HandshakeProcessResult::Completed {
                    response_bytes,
                    remaining_bytes,
                } => (response_bytes, Some(remaining_bytes)),
            };
            self.outbound.chunks.push_bytes(Bytes::from(answer));
            while !self.outbound.is_empty() {
                self.outbound.write_some().await?;
            }
            if let Some(rest) = rest {
                self.inbound.start(&rest);
                return Ok(());
            }
        }
    }

    /// Serves the client until the end, and tells its reason.
    async fn run(&mut self, stop: &CancellationToken) -> EndReason {
        loop {
            if self.outbound.is_empty() {
                self.outbound.last_progress = Instant::now();
            }
            if let Err(ended) = self.feed_player() {
                return ended;
            }
            let deadline = self.deadline();
            let may_read = self.outbound.chunks.len() < MAX_UNSENT;
            let must_write = !self.outbound.is_empty();
            let step = tokio::select! {
                message = self.inbound.next(), if may_read => match message {
                    Ok(message) => self.on_message(message),
                    Err(ended) => Err(ended),
                },
                written = self.outbound.write_some(), if must_write => match written {
                    Ok(bytes) => {
                        self.on_written(bytes);
                        Ok(())
                    }
                    Err(error) => Err(error.into()),
                },
                () = self.role.woken(), if !must_write => Ok(()),
                () = self.role.cancelled() => Err(EndReason::Kicked),
                () = stop.cancelled() => Err(EndReason::Stopping),
                () = sleep_until(deadline.0) => self.on_deadline(deadline.1),
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    fn on_message(&mut self, message: Message) -> Result<(), EndReason> {
        if let Some(ack) = self.inbound.acknowledgement() {
            self.outbound.chunks.push(&ack);
        }
        match self
            .conversation
            .handle(message, &mut self.outbound.chunks)?
        {
            None => Ok(()),
            Some(Request::Publish(name)) => self.publish(&name),
            Some(Request::Play(name)) => self.play(&name),
            Some(Request::Media(message)) => {
                if let (Role::Publisher(publication), Some(media)) =
                    (&self.role, Media::from_message(message))
                {
                    publication.push(media);
                }
                Ok(())
            }
            Some(Request::End) => {
                self.end_role();
                // It may take another role, as late as a publisher may come back.
                let time = self.shared.config.player_patience;
                self.setup = (Instant::now() + time, time);
                self.inbound.chunks.limit(MAX_EARLY_MESSAGE);
                Ok(())
            }
        }
    }

    /// Ends the role with a goodbye.
    fn end_role(&mut self) {
        let role = std::mem::replace(&mut self.role, Role::None);
        if let Role::Publisher(publication) = role {
            log::info!(stream = publication.id(), peer:% = self.peer; "publisher ended");
            publication.end();
        }
    }

    fn publish(&mut self, name: &StreamName) -> Result<(), EndReason> {
        self.end_role();
        let owner = match rights::publisher(&*self.shared.gate, &self.shared.hub, name) {
            Ok(owner) => owner,
            Err(reason) => return self.refuse("NetStream.Publish.Unauthorized", name, reason),
        };
        let unix_now = self.shared.calendar.unix_now();
        let user = User {
            id: owner,
            addr: self.peer,
        };
        self.place.prove(&user.id);
        match self.shared.hub.publish(&name.id, user, unix_now) {
            Ok(publication) => self.role = Role::Publisher(publication),
            Err(refusal) => {
                return self.refuse("NetStream.Publish.BadName", name, refusal.to_string());
            }
        }
        self.inbound
            .chunks
            .limit(self.shared.config.max_message_bytes);
        self.conversation
            .accept_publish(&name.id, &mut self.outbound.chunks);
        log::info!(stream = name.id, peer:% = self.peer; "publisher started");
        Ok(())
    }

    fn play(&mut self, name: &StreamName) -> Result<(), EndReason> {
        let shared = Arc::clone(&self.shared);
        let gate = &shared.gate;
        let viewer = match gate.viewer(&name.id, &name.query) {
            Ok(viewer) => viewer,
            Err(reason) => return self.refuse("NetStream.Play.Unauthorized", name, reason),
        };
        let user = User {
            id: viewer.clone(),
            addr: self.peer,
        };
        self.place.prove(&user.id);
        match shared.hub.play(&name.id, user) {
            Ok(subscription) => self.role = Role::Player(subscription),
            Err(refusal) => {
                return self.refuse("NetStream.Play.Failed", name, refusal.to_string());
            }
        }
        // Whoever ends rights did not see this player before.
        if !gate.may_play(&name.id, &viewer) {
            self.role = Role::None;
            let reason = "the right to play has just ended".to_owned();
            return self.refuse("NetStream.Play.Unauthorized", name, reason);
        }
        self.notified = false;
        self.conversation
            .accept_play(&name.id, &mut self.outbound.chunks);
        log::info!(stream = name.id, peer:% = self.peer; "player started");
        Ok(())
    }

    fn refuse(
        &mut self,
        code: &'static str,
        name: &StreamName,
        reason: String,
    ) -> Result<(), EndReason> {
        let description = format!("{}: {reason}", name.id);
        log::warn!(stream = name.id, peer:% = self.peer, code, reason; "client refused");
        let status = Status::error(code, description);
        self.conversation.notify(&status, &mut self.outbound.chunks);
        Err(EndReason::Refused(reason))
    }

    fn on_written(&self, bytes: usize) {
        match &self.role {
            Role::None => {}
            Role::Player(subscription) => subscription.written(bytes),
            Role::Publisher(_) => {
                // After our answer the kernel would delay its TCP acknowledgements by up to
                // 40 ms, and a publisher with Nagle's algorithm (ffmpeg) its next picture.
                if let Err(error) = self.outbound.write.set_quickack() {
                    log::debug!(peer:% = self.peer, error:%; "cannot set TCP_QUICKACK");
                }
            }
        }
    }

    /// Moves what waits for a player to its socket, or tells it that nothing will come.
    fn feed_player(&mut self) -> Result<(), EndReason> {
        let Role::Player(subscription) = &self.role else {
            return Ok(());
        };
        let out = &mut self.outbound.chunks;
        let stream = self.conversation.stream();
        while out.len() < BATCH
            && let Some(media) = subscription.pop()
        {
            if std::mem::take(&mut self.notified) {
                let name = subscription.id();
                let status = Status::ok(
                    "NetStream.Play.PublishNotify",
                    format!("{name} is published."),
                );
                out.push(&Message::stream_begin(stream));
                self.conversation.notify(&status, out);
            }
            out.push(&media.to_message(stream));
        }
        let Presence::Vacant { since, ended } = subscription.presence() else {
            return Ok(());
        };
        let (config, id) = (&self.shared.config, subscription.id());
        if since.elapsed() >= config.player_patience {
            let status = Status::error(
                "NetStream.Play.StreamNotFound",
                format!("Nobody publishes {id}."),
            );
            self.conversation.notify(&status, out);
            return Err(EndReason::NothingToPlay(config.player_patience));
        }
        if !self.notified && ended {
            self.notified = true;
            let status = Status::ok(
                "NetStream.Play.UnpublishNotify",
                format!("{id} is unpublished."),
            );
            self.conversation.notify(&status, out);
            out.push(&Message::stream_eof(stream));
        }
        Ok(())
    }

    /// The next moment at which something must have happened, and the fault if it has not.
    fn deadline(&self) -> (Instant, Deadline) {
        let config = &self.shared.config;
        let role = match &self.role {
            Role::None => (self.setup.0, Deadline::Setup),
            Role::Publisher(_) => (self.inbound.last_read + config.idle_timeout, Deadline::Idle),
            Role::Player(subscription) => match subscription.presence() {
                Presence::Publishing => (Instant::now() + config.write_timeout, Deadline::Look),
                Presence::Vacant { since, .. } => (since + config.player_patience, Deadline::Look),
            },
        };
        if self.outbound.is_empty() {
            return role;
        }
        let write = self.outbound.last_progress + config.write_timeout;
        if write < role.0 {
            (write, Deadline::Write)
        } else {
            role
        }
    }

    fn on_deadline(&self, deadline: Deadline) -> Result<(), EndReason> {
        if self.deadline().0 > Instant::now() {
            // Bytes came meanwhile, only not yet a whole message.
            return Ok(());
        }
        let config = &self.shared.config;
        match deadline {
            Deadline::Look => Ok(()),
            Deadline::Setup => Err(EndReason::SetupTooSlow(self.setup.1)),
            Deadline::Idle => Err(EndReason::PublisherSilent(config.idle_timeout)),
            Deadline::Write => Err(EndReason::WriteStalled(config.write_timeout)),
        }
    }

    /// Says the last words within [`LINGER`], so that a refused client learns why.
    async fn close(mut self, ended: &EndReason) {
        match &self.role {
            Role::None => log::debug!(peer:% = self.peer, reason:% = ended; "connection closed"),
            Role::Publisher(publication) => {
                log::info!(stream = publication.id(), peer:% = self.peer, reason:% = ended; "publisher lost");
            }
            Role::Player(subscription) => {
                log::info!(stream = subscription.id(), peer:% = self.peer, reason:% = ended; "player left");
            }
        }
        self.role = Role::None;
        if let EndReason::Conversation(error) = ended {
            let status = Status::error("NetStream.Failed", error.to_string());
            self.conversation.notify(&status, &mut self.outbound.chunks);
        }
        if matches!(
            ended,
            EndReason::ByClient | EndReason::Io(_) | EndReason::WriteStalled(_)
        ) {
            return;
        }
        let last_words = async {
            while !self.outbound.is_empty() {
                self.outbound.write_some().await?;
            }
            self.outbound.write.shutdown().await?;
            // Closing with unread input would reset the connection and lose the last words.
            while self.inbound.fill().await? > 0 {
                self.inbound.buffer.clear();
            }
            Ok::<(), std::io::Error>(())
        };
        // Nothing is owed to a client that does not take it in time.
        let _ = timeout(LINGER, last_words).await;
    }
}
