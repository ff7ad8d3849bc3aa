//! The end of a benchmark: its report, its exit code, and a signal to stop before.

use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::appliance::run::stop_signal;
use crate::process::output;

/// Waits for the end of a measurement, or for SIGTERM or SIGINT, which is an error.
pub(crate) async fn unless_stopped<T>(measurement: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        measured = measurement => measured,
        stopped = stop_signal() => {
            stopped?;
            bail!("stopped before the end");
        }
    }
}

/// Prints a report; `ok` decides the exit code.
pub(crate) fn print(
    report: &(impl Serialize + Display),
    as_json: bool,
    ok: bool,
) -> Result<ExitCode> {
    let text = if as_json {
        serde_json::to_string_pretty(report)?
    } else {
        report.to_string()
    };
    output::print(&format!("{text}\n")).context("standard output")?;
    Ok(ExitCode::from(u8::from(!ok)))
}

/// Prints a report for people, and keeps it as JSON in the file, if there is one.
pub(crate) fn print_and_keep(
    report: &(impl Serialize + Display),
    file: Option<File>,
    ok: bool,
) -> Result<ExitCode> {
    if let Some(mut file) = file {
        writeln!(file, "{}", serde_json::to_string_pretty(report)?)
            .context("the figures cannot be written")?;
    }
    print(report, false, ok)
}
