//! `rtckiosk bench server`: a real `rtcroomd` on one core, and on the others thousands of
//! members who beat and hold polls, over real connections.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use tokio::runtime::Builder;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

mod line;
mod listener;
mod member;
mod peer;
mod process;
mod report;
mod tally;

use super::{print, spread::Spread};
use crate::appliance::run::stop_signal;
use crate::demo::Rooms;
use crate::process::open_files;
use line::Line;
use member::{BEAT, Crowd, Member};
use peer::Nginx;
use process::{Cores, Server};
use report::{Between, ClientUse, PeerUse, Report, ServerUse};

/// How the server is to be loaded.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Members in all.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    members: u32,
    /// Length of the measurement, once all members have entered.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Rooms of two, or of four.
    #[arg(long, value_enum, default_value_t = Rooms::Double)]
    room_type: Rooms,
    /// What 99 of 100 heartbeats may take from when they are due, milliseconds.
    #[arg(long, default_value_t = 50)]
    p99_ms: u32,
    /// Ask nginx the same from the same members, on the room server's core.
    #[arg(long)]
    nginx: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// For all members to enter.
const ENTER_DEADLINE: Duration = Duration::from_secs(300);
/// Rooms entered at the same time: a crowd that comes in, not a storm.
const ENTERING: usize = 16;
/// Connections for everything but polls, where open files are scarce: so few requests are under
/// way at once.
const FEW_CONNECTIONS: usize = 256;
/// Connections to the peer: so many requests are never under way to it.
const PEER_CONNECTIONS: usize = 64;
/// For those that the server still has to close.
const SPARE_CONNECTIONS: usize = 8;
/// Files that either process needs beside its connections.
const OTHER_FILES: usize = 64;

/// # Errors
/// What kept it from measuring.
pub(super) fn run(options: &Options) -> Result<ExitCode> {
    // One thread, so that the cores it keeps to are those of all clients.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        tokio::select! {
            report = measure(options) => report,
            stopped = stop_signal() => {
                stopped?;
                anyhow::bail!("stopped before the end");
            }
        }
    })?;
    print(&report, options.json, report.ok)
}

async fn measure(options: &Options) -> Result<Report> {
    let members = usize::try_from(options.members)?;
    let besides = OTHER_FILES + PEER_CONNECTIONS;
    // The server inherits the limit.
    let files = open_files::raise(besides + 3 * members);
    let share = Share::of(members, files.saturating_sub(besides)).with_context(|| {
        format!("{members} members need more than the {files} files that may be open at once (ulimit -Hn)")
    })?;
    let (polls, connections) = (members + share.ordinary, share.connections);
    let cores = Cores::split()?;
    let config = config(members, polls, connections);
    let mut server = Server::start(&config, &cores).await?;
    let peer = if options.nginx {
        Some(Nginx::start(&cores).await?)
    } else {
        None
    };
    let idle = server.usage()?;
    let kind = options.room_type.room_type();
    let crowd = Arc::new(Crowd {
        kind,
        members,
        ordinary: share.ordinary,
        start: Instant::now(),
        tally: tally::Tally::default(),
        lines: (0..connections)
            .map(|number| Mutex::new(Line::new(server.addr, number)))
            .collect(),
        peer_lines: peer
            .iter()
            .flat_map(|peer| (0..PEER_CONNECTIONS).map(|n| Mutex::new(Line::new(peer.addr, n))))
            .collect(),
        server: server.addr,
    });
    timeout(ENTER_DEADLINE, enter(&crowd))
        .await
        .context("the members did not all enter in time")??;
    let enter_seconds = crowd.start.elapsed().as_secs_f64();
    // The last ones begin to beat.
    sleep(BEAT).await;
    crowd.tally.take();
    let (begin, before) = (Instant::now(), server.usage()?);
    let client_before = process::usage(std::process::id())?;
    let peer_before = peer.as_ref().map(Nginx::usage).transpose()?;
    sleep(Duration::from_secs(options.seconds)).await;
    let (time, after) = (begin.elapsed(), server.usage()?);
    let client_after = process::usage(std::process::id())?;
    let peer_after = peer.as_ref().map(Nginx::usage).transpose()?;
    let counts = crowd.tally.take();
    server.stop().await?;
    let served = Between {
        before,
        after,
        time,
    };
    let clients = Between {
        before: client_before,
        after: client_after,
        time,
    };
    let peer = peer_before.zip(peer_after).map(|(before, after)| PeerUse {
        cpu_percent: Between {
            before,
            after,
            time,
        }
        .cpu_percent(),
        answer_ms: Spread::default(),
    });
    let report = Report {
        ok: false,
        p99_ms: f64::from(options.p99_ms),
        failures: vec![],
        room_type: kind.path(),
        members,
        poll_connections: polls,
        other_connections: connections,
        enter_seconds,
        seconds: time.as_secs_f64(),
        requests_per_second: 0.0,
        heartbeats_failed: 0,
        heartbeat_ms: Spread::default(),
        answer_ms: Spread::default(),
        polls_per_second: 0.0,
        polls_failed: 0,
        messages: 0,
        server: ServerUse {
            cpu_percent: served.cpu_percent(),
            waited_percent: served.waited_percent(),
            has_own_core: cores.are_apart,
            idle_bytes: idle.resident_bytes,
            loaded_bytes: after.resident_bytes,
            bytes_per_member: after.resident_bytes.saturating_sub(idle.resident_bytes)
                / u64::from(options.members),
        },
        client: ClientUse {
            cpu_percent: clients.cpu_percent(),
            late_ms: Spread::default(),
        },
        peer,
    };
    Ok(report.with(&counts))
}

/// What the connections are for. Every member has one that holds the group's poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    /// Members that hold the ordinary poll too: all, where files suffice.
    ordinary: usize,
    /// For everything else. A poll occupies a connection; what else a member says needs one for a
    /// moment only.
    connections: usize,
}

impl Share {
    /// Of so many files; None when they do not suffice.
    fn of(members: usize, files: usize) -> Option<Self> {
        let spare = files.checked_sub(members)?;
        let few = FEW_CONNECTIONS.min(members);
        let connections = members.min(spare.saturating_sub(members).max(few));
        let ordinary = members.min(spare.checked_sub(connections)?);
        Some(Self {
            ordinary,
            connections,
        })
    }
}

/// The server's configuration: free ports, and limits that leave room for all members with
/// `polls` and `others` connections.
fn config(members: usize, polls: usize, others: usize) -> String {
    // Polls may take three quarters of all connections.
    let connections = (polls + others).max(4 * polls.div_ceil(3)) + SPARE_CONNECTIONS;
    format!(
        "log = \"warn\"
[http]
listen = \"127.0.0.1:0\"
max_connections = {connections}
[http.per_address]
per_second = 100000
[im]
polls_per_address = {connections}
[rooms]
max_rooms = {members}
[relay.embedded]
listen = \"127.0.0.1:0\"
max_connections = 2
"
    )
}

/// Lets all members enter, a few rooms at a time; each beats from then on, for as long as the
/// runtime lives.
async fn enter(crowd: &Arc<Crowd>) -> Result<()> {
    let size = crowd.kind.default_capacity();
    let slots = Arc::new(Semaphore::new(ENTERING));
    let mut entering = JoinSet::new();
    for first in (0..crowd.members).step_by(size) {
        let slot = slots.clone().acquire_owned().await?;
        while let Some(entered) = entering.try_join_next() {
            entered??;
        }
        let crowd = crowd.clone();
        entering.spawn(async move {
            let _slot = slot;
            for number in first..crowd.members.min(first + size) {
                let room = format!("load-room-{}", first / size);
                let is_host = number == first;
                let entered = Member::enter(crowd.clone(), number, room, is_host);
                let (member, listener) = entered.await?;
                tokio::spawn(async move { member.beat().await });
                tokio::spawn(listener.listen());
            }
            anyhow::Ok(())
        });
    }
    while let Some(entered) = entering.join_next().await {
        entered??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServerConfig;

    #[test]
    fn the_server_accepts_its_configuration() {
        for (members, polls, others) in [
            (2, 4, 1),
            (3, 6, 3),
            (10_000, 20_000, 1),
            (10_000, 10_000, 10_000),
            (100_000, 200_000, 1),
        ] {
            let config = ServerConfig::parse("load", &config(members, polls, others)).unwrap();
            let connections = config.http.max_connections;
            assert!(connections >= polls + others);
            assert!(connections / 4 * 3 >= polls, "{members} members");
        }
    }

    #[test]
    fn files_go_to_polls_first() {
        let share = |members, files| Share::of(members, files).map(|s| (s.ordinary, s.connections));
        assert_eq!(share(10, 30), Some((10, 10)));
        assert_eq!(share(10, 1000), Some((10, 10)));
        assert_eq!(share(10, 20), Some((0, 10)));
        assert_eq!(share(10, 19), None);
        assert_eq!(share(10_000, 20_000), Some((9744, 256)));
        assert_eq!(share(10_000, 25_000), Some((10_000, 5000)));
    }
}
