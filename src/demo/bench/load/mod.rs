//! `rtckiosk bench server`: a real `rtcroomd` on one core, and on the others thousands of
//! members who beat and hold polls, over real connections.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use tokio::runtime::Builder;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

mod line;
mod listener;
mod member;
mod process;
mod report;
mod tally;

use super::{print, spread::Spread};
use crate::appliance::run::stop_signal;
use crate::demo::Rooms;
use line::Line;
use member::{BEAT, Crowd, Member};
use process::Server;
use report::{Between, ClientUse, Report, ServerUse};

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
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// For all members to enter.
const ENTER_DEADLINE: Duration = Duration::from_secs(300);
/// Rooms entered at the same time: a crowd that comes in, not a storm.
const ENTERING: usize = 16;
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
    let files = process::open_files()?;
    // A poll occupies a connection; what else a member says needs one for a moment only.
    let connections = members.min(files.saturating_sub(OTHER_FILES + members));
    ensure!(
        connections > 0,
        "{members} members need more than the {files} files that may be open at once (ulimit -Hn)"
    );
    let mut server = Server::start(&config(members)).await?;
    let idle = server.usage()?;
    let kind = options.room_type.room_type();
    let crowd = Arc::new(Crowd {
        kind,
        members,
        start: Instant::now(),
        tally: tally::Tally::default(),
        lines: (0..connections)
            .map(|number| Mutex::new(Line::new(server.addr, number)))
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
    sleep(Duration::from_secs(options.seconds)).await;
    let (time, after) = (begin.elapsed(), server.usage()?);
    let client_after = process::usage(std::process::id())?;
    let counts = crowd.tally.take();
    let has_own_core = server.has_own_core;
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
    let report = Report {
        ok: false,
        failures: vec![],
        room_type: kind.path(),
        members,
        poll_connections: members,
        other_connections: connections,
        enter_seconds,
        seconds: time.as_secs_f64(),
        requests_per_second: 0.0,
        heartbeats_failed: 0,
        heartbeat_ms: Spread::default(),
        polls_per_second: 0.0,
        polls_failed: 0,
        messages: 0,
        server: ServerUse {
            cpu_percent: served.cpu_percent(),
            waited_percent: served.waited_percent(),
            has_own_core,
            idle_bytes: idle.resident_bytes,
            loaded_bytes: after.resident_bytes,
            bytes_per_member: after.resident_bytes.saturating_sub(idle.resident_bytes)
                / u64::from(options.members),
        },
        client: ClientUse {
            cpu_percent: clients.cpu_percent(),
            late_ms: Spread::default(),
        },
    };
    Ok(report.with(&counts))
}

/// The server's configuration: free ports, and limits that leave room for all members.
fn config(members: usize) -> String {
    // Polls may take three quarters of all connections.
    let connections = 4 * (members + OTHER_FILES);
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
