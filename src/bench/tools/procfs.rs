//! The kernel's account of a process and of the machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

fn folder(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Memory of a process that is not swapped out.
///
/// # Errors
/// There is no such process.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let status = read(&folder(pid).join("status"))?;
    parse_resident(&status).context("the kernel reports no VmRSS")
}

fn parse_resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// # Errors
/// There is no such process, or it belongs to somebody else.
pub(crate) fn open_files(pid: u32) -> Result<usize> {
    let files = std::fs::read_dir(folder(pid).join("fd"));
    Ok(files.context("open files cannot be counted")?.count())
}

/// Processor time of a process, threads that have ended included, to the clock tick.
///
/// # Errors
/// There is no such process.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let per_second = rustix::param::clock_ticks_per_second();
    let stat = read(&folder(pid).join("stat"))?;
    parse_cpu_time(&stat, per_second).context("the kernel reports no times")
}

/// User and system time, which `/proc/PID/stat` has in ticks.
fn parse_cpu_time(stat: &str, per_second: u64) -> Option<Duration> {
    // The program's name, in brackets, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    let ticks = next()? + next()?;
    Some(Duration::from_millis(ticks * 1000 / per_second.max(1)))
}

/// Time that the threads of a process have spent on a core, and time that they were ready to run
/// while others had it. To the nanosecond, without threads that have ended.
///
/// # Errors
/// There is no such process.
pub(crate) fn thread_times(pid: u32) -> Result<(Duration, Duration)> {
    let mut total = (Duration::ZERO, Duration::ZERO);
    for thread in std::fs::read_dir(folder(pid).join("task"))? {
        // A thread may end between the two looks.
        let Ok(times) = read(&thread?.path().join("schedstat")) else {
            continue;
        };
        let (cpu, waited) =
            parse_thread_times(&times).context("the kernel reports no schedstat")?;
        total.0 += cpu;
        total.1 += waited;
    }
    Ok(total)
}

/// Nanoseconds on a core, nanoseconds waiting for one, and a count.
fn parse_thread_times(times: &str) -> Option<(Duration, Duration)> {
    let mut fields = times.split_whitespace();
    let mut next = || fields.next()?.parse().ok().map(Duration::from_nanos);
    Some((next()?, next()?))
}

/// Processor and count of cores, such as `Intel(R) Xeon(R) Processor, 2 cores`.
pub(crate) fn machine() -> String {
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
        assert_eq!(parse_cpu_time(stat, 100), Some(Duration::from_millis(1750)));
        assert_eq!(parse_cpu_time("42 (x) S 1", 100), None);
        let status = "Name:\trtcroomd\nVmHWM:\t    9000 kB\nVmRSS:\t    8192 kB\n";
        assert_eq!(parse_resident(status), Some(8 << 20));
        assert_eq!(parse_resident("Name:\tkthreadd\n"), None);
        let times = (Duration::from_nanos(1500), Duration::from_nanos(20));
        assert_eq!(parse_thread_times("1500 20 7\n"), Some(times));
        assert_eq!(parse_thread_times("1500\n"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let me = std::process::id();
        assert!(resident_bytes(me).unwrap() > 1 << 20);
        assert!(open_files(me).unwrap() > 2);
        assert!(thread_times(me).unwrap().0 > Duration::ZERO);
        cpu_time(me).expect("the times of this process");
    }
}
