//! Measures how busy the processor is, with us and with all, from the kernel's own account.

/// The account at one moment, in ticks since the machine's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Account {
    /// Ticks of this process.
    process: u64,
    /// Ticks of all, without idling.
    busy: u64,
    /// Ticks of all, idling included, over all processors.
    all: u64,
}

/// Shares since the last look.
#[derive(Debug, Default)]
pub(super) struct CpuMeter {
    last: Option<Account>,
}

impl CpuMeter {
    /// Percent of the whole machine that this process and all processes took since the last
    /// look; `None` at the first, and where there is no `/proc`.
    pub(super) fn look(&mut self) -> Option<(f64, f64)> {
        let read = |path| std::fs::read_to_string(path).ok();
        let now = account(&read("/proc/self/stat")?, &read("/proc/stat")?)?;
        shares(self.last.replace(now)?, now)
    }
}

fn shares(last: Account, now: Account) -> Option<(f64, f64)> {
    let all = now.all.saturating_sub(last.all);
    let percent = |now: u64, last: u64| now.saturating_sub(last) as f64 * 100.0 / all as f64;
    (all > 0).then(|| {
        (
            percent(now.process, last.process),
            percent(now.busy, last.busy),
        )
    })
}

/// Reads `proc_pid_stat(5)` and `proc_stat(5)`.
fn account(process: &str, machine: &str) -> Option<Account> {
    // The program's name may hold anything, spaces and brackets too.
    let fields: Vec<&str> = process.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let line = machine.lines().next()?.strip_prefix("cpu ")?;
    // user nice system idle iowait irq softirq steal; guests are in user and nice already.
    let all: Vec<u64> = line
        .split_whitespace()
        .take(8)
        .map_while(|ticks| ticks.parse().ok())
        .collect();
    let sum: u64 = all.iter().sum();
    Some(Account {
        process: ticks(11)? + ticks(12)?,
        busy: sum - all.get(3)? - all.get(4)?,
        all: sum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_account() {
        let process = "7 (a) b) R 1 7 7 0 -1 4194304 100 0 0 0 40 20 5 5 20 0 9 0 300 1000 50";
        let machine = "cpu  100 10 50 800 30 2 8 0 4 0\ncpu0 1 2 3\n";
        let then = account(process, machine);
        let expected = Account {
            process: 60,
            busy: 170,
            all: 1000,
        };
        assert_eq!(then, Some(expected));
        assert_eq!(account("7 (a", machine), None);
        assert_eq!(account(process, "intr 1"), None);
        let now = Account {
            process: 110,
            busy: 320,
            all: 1200,
        };
        assert_eq!(shares(expected, now), Some((25.0, 75.0)));
        assert_eq!(shares(now, now), None);
    }

    #[test]
    fn this_process_is_known() {
        let mut meter = CpuMeter::default();
        assert_eq!(meter.look(), None);
        assert!(meter.last.is_some_and(|account| account.all > 0));
    }
}
