//! Benchmarks: what the targets of docs/performance.md are measured with.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

mod load;
mod spread;

/// What to measure.
#[derive(Debug, Clone, Subcommand)]
pub enum Bench {
    /// Drive a room server of its own with many members on one core.
    Server(load::Options),
}

/// `rtckiosk bench`: exit code 0 only if nothing failed that must not.
///
/// # Errors
/// What kept it from measuring.
pub fn run(bench: &Bench) -> Result<ExitCode> {
    crate::appliance::journal::start(log::LevelFilter::Warn);
    match bench {
        Bench::Server(options) => load::run(options),
    }
}
