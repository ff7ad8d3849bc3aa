//! `rtckiosk bench server`: options, and the course of the measurement.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep, timeout};

use super::baseline;
use super::connection_plan::{ConnectionPlan, server_config};
use super::load_report::{LoadReport, Measurement, Usages};
use super::load_run::LoadRun;
use super::member::{HEARTBEAT, enter_all};
use super::server_process::{Cores, ServerProcess};
use super::usage::Usage;
use crate::bench::tools::{Nginx, print, unless_stopped};
use crate::demo::room_type::room_type_parser;
use crate::protocol::RoomType;

/// The options of the benchmark.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Members in all.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    members: u32,
    /// Length of the measurement, once all members have entered.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Rooms of two, or of four.
    #[arg(long, value_parser = room_type_parser(), default_value = "double")]
    room_type: RoomType,
    /// Longest time that 99 of 100 heartbeats may take from when they are due, milliseconds.
    #[arg(long, default_value_t = 50)]
    p99_ms: u32,
    /// Ask nginx the same from the same members, on the room server's core.
    #[arg(long)]
    nginx: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Longest time for all members to enter.
const ENTER_DEADLINE: Duration = Duration::from_secs(300);

/// # Errors
/// Whatever kept it from measuring.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    // One thread, so that the cores it keeps to are those of all clients.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(unless_stopped(measure(options)))?;
    print(&report, options.json, report.ok)
}

async fn measure(options: &Options) -> Result<LoadReport> {
    let members = usize::try_from(options.members)?;
    let plan = ConnectionPlan::of(members)?;
    let cores = Cores::split()?;
    let config = server_config(members, members + plan.ordinary_polls, plan.others);
    let mut server = ServerProcess::start(&config, &cores).await?;
    let nginx = match options.nginx {
        true => Some(baseline::start(&cores).await?),
        false => None,
    };
    let idle = server.usage()?;
    let baseline = nginx.as_ref().map(|nginx| nginx.addr);
    let run = LoadRun::new(options.room_type, members, plan, server.addr, baseline);
    let run = Arc::new(run);
    timeout(ENTER_DEADLINE, enter_all(&run))
        .await
        .context("the members did not all enter in time")??;
    let enter_seconds = run.start.elapsed().as_secs_f64();
    // The last ones send their first heartbeat.
    sleep(HEARTBEAT).await;
    run.tally.take();
    let begin = Instant::now();
    let before = usages(&mut server, nginx.as_ref())?;
    sleep(Duration::from_secs(options.seconds)).await;
    let time = begin.elapsed();
    let after = usages(&mut server, nginx.as_ref())?;
    let counts = run.tally.take();
    server.stop().await?;
    Ok(LoadReport::of(Measurement {
        run: &run,
        p99_ms: f64::from(options.p99_ms),
        cores_are_apart: cores.are_apart,
        enter_seconds,
        time,
        idle,
        before,
        after,
        counts,
    }))
}

fn usages(server: &mut ServerProcess, nginx: Option<&Nginx>) -> Result<Usages> {
    Ok(Usages {
        server: server.usage()?,
        clients: Usage::of(std::process::id())?,
        nginx: nginx.map(|nginx| Usage::of(nginx.pid)).transpose()?,
    })
}
