//! Benchmarks: what the targets of docs/performance.md are measured with.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde::Serialize;

use crate::appliance::output;

mod events;
mod load;
mod media;
mod spread;

/// What to measure.
#[derive(Debug, Clone, Subcommand)]
pub enum Bench {
    /// Drive a room server of its own with many members on one core.
    Server(load::Options),
    /// Time texts and comings and goings between two room clients.
    Events(events::Options),
    /// Measure what a kiosk costs in a call: processor time and memory.
    Media(media::Options),
}

/// `rtckiosk bench`: exit code 0 only if nothing failed that must not.
///
/// # Errors
/// What kept it from measuring.
pub fn run(bench: &Bench) -> Result<ExitCode> {
    crate::appliance::journal::start(log::LevelFilter::Warn);
    match bench {
        Bench::Server(options) => load::run(options),
        Bench::Events(options) => events::run(options),
        Bench::Media(options) => media::run(options),
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
