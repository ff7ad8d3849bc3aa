//! `rtckiosk bench media cost`: options, and the parts of the measurement.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::cpu::{self, CpuReport};
use super::memory::{self, MemoryReport};
use super::setup::Setup;
use crate::appliance::run::block_on;
use crate::bench::tools::{machine, print_and_keep, unless_stopped};
use crate::demo::report::create_file;

/// The options of the benchmark.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Parts to measure; without any, all.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Rounds of the cpu part, in each of which kiosk and bare pipelines take a turn.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Length of each turn of the cpu part.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=600))]
    seconds: u64,
    /// Calls of the memory part.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(3..=100_000))]
    calls: u32,
    /// File for the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Cpu,
    Memory,
}

#[derive(Debug, Serialize)]
struct CostReport {
    /// Whether every target that was measured is met.
    ok: bool,
    /// Processor and count of cores.
    machine: String,
    cpu: Option<CpuReport>,
    memory: Option<MemoryReport>,
}

impl std::fmt::Display for CostReport {
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
/// Whatever kept it from measuring.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let file = create_file(options.json.as_deref())?;
    let report = block_on(unless_stopped(measure(options)))?;
    print_and_keep(&report, file, report.ok)
}

async fn measure(options: &Options) -> Result<CostReport> {
    let wanted = |part| options.parts.is_empty() || options.parts.contains(&part);
    let mut setup = Setup::start().await?;
    let measured = async {
        let cpu = match wanted(Part::Cpu) {
            true => Some(cpu::measure(&mut setup, options.rounds, options.seconds).await?),
            false => None,
        };
        let memory = match wanted(Part::Memory) {
            true => Some(memory::measure(&mut setup, options.calls).await?),
            false => None,
        };
        Ok(CostReport {
            ok: cpu.as_ref().is_none_or(|cpu| cpu.ok) && memory.as_ref().is_none_or(|m| m.ok),
            machine: machine(),
            cpu,
            memory,
        })
    }
    .await;
    setup.stop().await;
    measured
}
