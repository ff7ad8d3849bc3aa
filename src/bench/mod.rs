//! Benchmarks: what the targets of docs/performance.md are measured with.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde::Serialize;

use crate::process::output;

mod cost;
mod delay;
mod events;
mod load;
mod spread;

/// What to measure.
#[derive(Debug, Clone, Subcommand)]
pub enum Bench {
    /// Drive a room server of its own with many members on one core.
    Server(load::Options),
    /// Measure what a call is like.
    #[command(subcommand)]
    Media(Media),
    /// Time texts and comings and goings between two room clients.
    Events(events::Options),
}

/// What to measure of a call.
#[derive(Debug, Clone, Subcommand)]
pub enum Media {
    /// Age of pictures and sound where they are seen and heard.
    Delay(delay::Options),
    /// What a kiosk costs: processor time and memory.
    Cost(cost::Options),
}

/// `rtckiosk bench`: exit code 0 only if nothing failed that must not.
///
/// # Errors
/// What kept it from measuring.
pub fn run(bench: &Bench) -> Result<ExitCode> {
    crate::process::journal::start(log::LevelFilter::Warn);
    match bench {
        Bench::Media(Media::Delay(options)) => delay::run(options),
        Bench::Media(Media::Cost(options)) => cost::run(options),
        Bench::Server(options) => load::run(options),
        Bench::Events(options) => events::run(options),
    }
}

/// Prints a report; `ok` makes the exit code.
fn print(report: &(impl Serialize + std::fmt::Display), json: bool, ok: bool) -> Result<ExitCode> {
    let text = if json {
        serde_json::to_string_pretty(report)?
    } else {
        report.to_string()
    };
    output::print(&format!("{text}\n")).context("standard output")?;
    Ok(if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
