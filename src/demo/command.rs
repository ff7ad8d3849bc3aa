//! `rtckiosk demo`: its options, its report and its exit code.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::collect::collect;
use super::participants::Participants;
use super::report::{CallReport, create_file};
use super::room_type::room_type_parser;
use super::watch::watch;
use crate::appliance::run::block_on;
use crate::process::{journal, output};
use crate::protocol::RoomType;
use crate::server::Settings;

/// The options of the demo.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Open no window: the screens are only kept for the pictures of the report.
    #[arg(long)]
    headless: bool,
    /// Length of the call; without it the call lasts until Ctrl-C.
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(3..=86_400))]
    seconds: Option<u64>,
    /// File for the JSON report; the pictures are put beside it.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Rooms of two, or of four: then three agents take part.
    #[arg(long, value_parser = room_type_parser(), default_value = "double")]
    room_type: RoomType,
}

/// Runs `rtckiosk demo`: exit code 0 only if both sides saw and heard each other.
///
/// # Errors
/// Whatever kept the call from taking place.
pub fn run(options: &Options) -> Result<ExitCode> {
    journal::start(log::LevelFilter::Warn);
    block_on(call(options))
}

async fn call(options: &Options) -> Result<ExitCode> {
    let mut file = create_file(options.report.as_deref())?;
    let server = Settings::on_free_ports()?;
    let mut participants = Participants::start(server, options.room_type, options.headless).await?;
    let measured = measure(options, &mut participants).await;
    participants.stop().await;
    let report = measured?;
    let text = serde_json::to_string_pretty(&report)?;
    match &mut file {
        Some(file) => writeln!(file, "{text}"),
        None => output::print(&format!("{text}\n")),
    }
    .context("the report cannot be written")?;
    for failure in &report.failures {
        eprintln!("rtckiosk demo: {failure}");
    }
    Ok(ExitCode::from(u8::from(!report.ok)))
}

/// Makes the call and follows it to its end.
async fn measure(options: &Options, participants: &mut Participants) -> Result<CallReport> {
    let entered = participants.connect().await?;
    participants.add_agents().await?;
    let length = options.seconds.map(Duration::from_secs);
    let events = watch(participants, entered, length, !options.headless).await?;
    collect(participants, entered, events, options.report.as_deref()).await
}
