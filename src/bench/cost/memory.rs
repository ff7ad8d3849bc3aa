//! Memory of a kiosk over many calls.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::setup::Setup;
use crate::bench::tools::{open_files, resident_bytes};

/// Greatest memory of a kiosk in a call, MB of 10^6 bytes, from docs/performance.md.
const TARGET_MB: f64 = 150.0;
/// Growth per call that counts as flat, KiB: over 200 calls less than a hundredth of what is used.
const FLAT_KIB: f64 = 5.0;
/// Length of a call once the agent is seen.
const CALL: Duration = Duration::from_millis(1500);
/// Part of all calls, at the start, that is not counted while caches and pools fill: a tenth.
const WARM_UP: usize = 10;

#[derive(Debug, Serialize)]
pub(super) struct MemoryReport {
    /// Whether all targets are met.
    pub(super) ok: bool,
    calls: Vec<Call>,
    /// Greatest memory of all calls.
    largest_mb: f64,
    slope_kib_per_call: f64,
    slope_files_per_call: f64,
}

/// Use of a kiosk in one call.
#[derive(Debug, Clone, Copy, Serialize)]
struct Call {
    resident_kib: u64,
    open_files: usize,
}

impl MemoryReport {
    fn of(calls: Vec<Call>) -> Self {
        let counted = &calls[calls.len() / WARM_UP..];
        let growth = |of: fn(&Call) -> f64| slope(&counted.iter().map(of).collect::<Vec<_>>());
        let slope_kib_per_call = growth(|call| call.resident_kib as f64);
        let slope_files_per_call = growth(|call| call.open_files as f64);
        let largest = calls.iter().map(|call| call.resident_kib).max();
        let largest_mb = largest.unwrap_or(0) as f64 * 1024.0 / 1e6;
        Self {
            ok: largest_mb < TARGET_MB
                && slope_kib_per_call < FLAT_KIB
                && slope_files_per_call < 0.01,
            calls,
            largest_mb,
            slope_kib_per_call,
            slope_files_per_call,
        }
    }
}

impl std::fmt::Display for MemoryReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "Memory in a call, {} calls one after the other",
            self.calls.len()
        )?;
        writeln!(f, "{:>8} {:>10} {:>8}", "call", "RSS kB", "files")?;
        let step = (self.calls.len() / 20).max(1);
        for (index, call) in self.calls.iter().enumerate() {
            if index % step == 0 || index + 1 == self.calls.len() {
                let number = index + 1;
                writeln!(
                    f,
                    "{number:>8} {:>10} {:>8}",
                    call.resident_kib, call.open_files
                )?;
            }
        }
        write!(
            f,
            "largest {:.1} MB (below {TARGET_MB:.0}); slope {:.2} kB and {:.3} files a call \
             (flat: below {FLAT_KIB} kB and 0.01)",
            self.largest_mb, self.slope_kib_per_call, self.slope_files_per_call
        )
    }
}

pub(super) async fn measure(setup: &mut Setup, calls: u32) -> Result<MemoryReport> {
    let mut measured = Vec::new();
    for _ in 0..calls {
        setup.kiosk.call().await?;
        tokio::time::sleep(CALL).await;
        let pid = setup.kiosk.pid;
        measured.push(Call {
            resident_kib: resident_bytes(pid)? >> 10,
            open_files: open_files(pid)?,
        });
        setup.kiosk.hang_up().await?;
    }
    Ok(MemoryReport::of(measured))
}

/// Least squares: growth from one value to the next.
fn slope(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / n;
    let mut over = 0.0;
    let mut under = 0.0;
    for (index, value) in values.iter().enumerate() {
        let distance = index as f64 - middle;
        over += distance * (value - mean);
        under += distance * distance;
    }
    if under > 0.0 { over / under } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(call: impl Fn(u64) -> (u64, usize)) -> MemoryReport {
        let calls = (0..100).map(|n| {
            let (resident_kib, open_files) = call(n);
            Call {
                resident_kib,
                open_files,
            }
        });
        MemoryReport::of(calls.collect())
    }

    #[test]
    fn growth_is_found_through_noise_and_warming_up_is_not_growth() {
        let noise = |n: u64| n * 7919 % 500;
        let flat = report(|n| (90_000 + noise(n) - 500 * u64::from(n < 10), 40));
        assert!(flat.ok && flat.slope_kib_per_call.abs() < 1.0, "{flat}");
        let leaks = report(|n| (90_000 + 20 * n + noise(n), 40));
        assert!(
            !leaks.ok && (19.0..21.0).contains(&leaks.slope_kib_per_call),
            "{leaks}"
        );
        let files = report(|n| (90_000, 40 + n as usize));
        assert!(
            !files.ok && (files.slope_files_per_call - 1.0).abs() < 1e-9,
            "{files}"
        );
        assert!(!report(|_| (150_000, 40)).ok, "too large");
        assert_eq!(slope(&[5.0]), 0.0);
    }
}
