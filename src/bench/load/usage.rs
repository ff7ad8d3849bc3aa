//! The use that a process makes of its core and of memory.

use std::time::Duration;

use anyhow::Result;

use crate::bench::tools::{resident_bytes, thread_times};

/// Use of a process since its start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    cpu: Duration,
    /// Time that it was ready to run while others had the core.
    waited: Duration,
    pub(super) resident_bytes: u64,
}

impl Usage {
    /// # Errors
    /// There is no such process.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let (cpu, waited) = thread_times(pid)?;
        Ok(Self {
            cpu,
            waited,
            resident_bytes: resident_bytes(pid)?,
        })
    }

    /// Percent of one core that was used during the time from `before` until now.
    pub(super) fn cpu_percent(&self, before: &Self, time: Duration) -> f64 {
        percent(self.cpu.saturating_sub(before.cpu), time)
    }

    /// Percent of that time in which it was ready to run while others had the core.
    pub(super) fn waited_percent(&self, before: &Self, time: Duration) -> f64 {
        percent(self.waited.saturating_sub(before.waited), time)
    }
}

fn percent(part: Duration, time: Duration) -> f64 {
    100.0 * part.as_secs_f64() / time.as_secs_f64()
}
