//! What a kiosk costs in a call: processor time beside bare GStreamer pipelines that do the same,
//! and memory over many calls.

mod bare;
mod cpu;
mod memory;
mod stage;
mod used;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde::Serialize;

use self::stage::Stage;
use super::print;
use crate::appliance::run::{block_on, stop_signal};

/// What to measure, and for how long.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Without any, all.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Of cpu: how often kiosk and bare pipelines take turns.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Of cpu: length of each turn.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=600))]
    seconds: u64,
    /// Of memory: how many calls.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(3..=100_000))]
    calls: u32,
    /// Where to write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Cpu,
    Memory,
}

#[derive(Debug, Serialize)]
struct Report {
    /// Every target that was measured is met.
    ok: bool,
    /// Processor and count of cores.
    machine: String,
    cpu: Option<cpu::Report>,
    memory: Option<memory::Report>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.machine)?;
        if let Some(cpu) = &self.cpu {
            write!(f, "\n\n{cpu}")?;
        }
        if let Some(memory) = &self.memory {
            write!(f, "\n\n{memory}")?;
        }
        Ok(())
    }
}

/// # Errors
/// What kept it from measuring.
pub(super) fn run(options: &Options) -> Result<ExitCode> {
    let mut file = options.json.as_deref().map(create).transpose()?;
    let report = block_on(async {
        tokio::select! {
            report = measure(options) => report,
            stopped = stop_signal() => {
                stopped?;
                bail!("stopped before the end");
            }
        }
    })?;
    if let Some(file) = &mut file {
        writeln!(file, "{}", serde_json::to_string_pretty(&report)?)
            .context("the figures cannot be written")?;
    }
    print(&report, false, report.ok)
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("{} cannot be written", path.display()))
}

async fn measure(options: &Options) -> Result<Report> {
    let wanted = |part| options.parts.is_empty() || options.parts.contains(&part);
    let mut stage = Stage::set().await?;
    let measured = async {
        let cpu = match wanted(Part::Cpu) {
            true => Some(cpu::measure(&mut stage, options.rounds, options.seconds).await?),
            false => None,
        };
        let memory = match wanted(Part::Memory) {
            true => Some(memory::measure(&mut stage, options.calls).await?),
            false => None,
        };
        Ok(Report {
            ok: cpu.as_ref().is_none_or(|cpu| cpu.ok) && memory.as_ref().is_none_or(|m| m.ok),
            machine: used::machine(),
            cpu,
            memory,
        })
    }
    .await;
    stage.strike().await;
    measured
}
