//! Memory of a kiosk over many calls.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::stage::Stage;
use super::used::{self, Used};

/// In a call, in MB of 10^6 bytes.
const TARGET_MB: f64 = 150.0;
/// Growth per call that counts as flat: over 200 calls less than a hundredth of what is used.
const FLAT_KIB: f64 = 5.0;
/// How long a call lasts once the agent is seen.
const CALL: Duration = Duration::from_millis(1500);
/// Calls at the start that are not counted, as a part of all: caches and pools fill.
const WARM_UP: usize = 10;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) ok: bool,
    calls: Vec<Call>,
    /// After warming up.
    largest_mb: f64,
    slope_kib_per_call: f64,
    slope_files_per_call: f64,
}

/// While a call lasts.
#[derive(Debug, Clone, Copy, Serialize)]
struct Call {
    resident_kib: u64,
    open_files: usize,
}

impl Report {
    fn of(calls: Vec<Call>) -> Self {
        let counted = &calls[calls.len() / WARM_UP..];
        let line = |of: fn(&Call) -> f64| slope(&counted.iter().map(of).collect::<Vec<_>>());
        let slope_kib_per_call = line(|call| call.resident_kib as f64);
        let slope_files_per_call = line(|call| call.open_files as f64);
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

impl std::fmt::Display for Report {
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

pub(super) async fn measure(stage: &mut Stage, calls: u32) -> Result<Report> {
    let mut measured = Vec::new();
    for _ in 0..calls {
        stage.kiosk.call().await?;
        tokio::time::sleep(CALL).await;
        let Used {
            resident_kib,
            open_files,
            ..
        } = used::by(stage.kiosk.pid)?;
        measured.push(Call {
            resident_kib,
            open_files,
        });
        stage.kiosk.hang_up().await?;
    }
    Ok(Report::of(measured))
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

    fn report(call: impl Fn(u64) -> (u64, usize)) -> Report {
        let calls = (0..100).map(|n| {
            let (resident_kib, open_files) = call(n);
            Call {
                resident_kib,
                open_files,
            }
        });
        Report::of(calls.collect())
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
