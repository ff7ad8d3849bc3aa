//! `rtckiosk bench`: the choice of a benchmark.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::{cost, delay, events, load};
use crate::process::journal;

/// The benchmarks.
#[derive(Debug, Clone, Subcommand)]
pub enum Bench {
    /// Drive a room server of its own with many members on one core.
    Server(load::Options),
    /// Measure a call.
    #[command(subcommand)]
    Media(Media),
    /// Time texts and comings and goings between two room clients.
    Events(events::Options),
}

/// The benchmarks of a call.
#[derive(Debug, Clone, Subcommand)]
pub enum Media {
    /// Age of pictures and sound where they are seen and heard.
    Delay(delay::Options),
    /// Processor time and memory that a kiosk uses.
    Cost(cost::Options),
}

/// Runs `rtckiosk bench`: exit code 0 only if every target is met.
///
/// # Errors
/// Whatever kept it from measuring.
pub fn run(bench: &Bench) -> Result<ExitCode> {
    journal::start(log::LevelFilter::Warn);
    match bench {
        Bench::Media(Media::Delay(options)) => delay::run(options),
        Bench::Media(Media::Cost(options)) => cost::run(options),
        Bench::Server(options) => load::run(options),
        Bench::Events(options) => events::run(options),
    }
}
