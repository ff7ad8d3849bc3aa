//! What the kernel tells of a process and of the machine.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

/// What a process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Used {
    /// Since its start, threads that have ended included.
    pub(super) cpu: Duration,
    pub(super) resident_kib: u64,
    pub(super) open_files: usize,
}

/// # Errors
/// There is no such process, or it belongs to somebody else.
pub(super) fn by(pid: u32) -> Result<Used> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let per_second = rustix::param::clock_ticks_per_second();
    let files = std::fs::read_dir(folder.join("fd")).context("open files cannot be counted")?;
    Ok(Used {
        cpu: cpu(&read("stat")?, per_second).context("the kernel tells no times")?,
        resident_kib: resident(&read("status")?).context("the kernel tells no VmRSS")?,
        open_files: files.count(),
    })
}

/// From `/proc/PID/stat`: user and system time in ticks.
fn cpu(stat: &str, per_second: u64) -> Option<Duration> {
    // The program's name, in brackets, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    let ticks = next()? + next()?;
    Some(Duration::from_millis(ticks * 1000 / per_second.max(1)))
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// `Intel(R) Xeon(R) Processor, 2 cores`
pub(super) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let names = ["model name", "Model"];
    let name = info.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        names.contains(&key.trim()).then(|| value.trim().to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let name = name.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("{name}, {cores} cores")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_says() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 2000 0 5 0 150 25 0 0 20 0 9 0 100 1 2";
        assert_eq!(cpu(stat, 100), Some(Duration::from_millis(1750)));
        assert_eq!(cpu("42 (x) S 1", 100), None);
        assert_eq!(resident("VmHWM:\t 9000 kB\nVmRSS:\t 8192 kB\n"), Some(8192));
        let me = by(std::process::id()).expect("this process");
        assert!(me.resident_kib > 1000 && me.open_files > 2, "{me:?}");
    }
}
