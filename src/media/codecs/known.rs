//! The knowledge of codecs in this process: one probe, in the background, for everybody.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::probe;
use super::report::{CodecReport, Shape};
use crate::media::lock::lock;

/// Minimum time until a probe that found too little is made again, at the next call: our choice.
const AGAIN: Duration = Duration::from_secs(30);

struct Running {
    report: watch::Receiver<CodecReport>,
    since: Instant,
}

/// The one probe of this process.
static PROBE: Mutex<Option<Running>> = Mutex::new(None);

/// Starts the trials, unless they were made already or are being made, and never waits. Whoever is
/// first says with which shape.
pub(crate) fn start(shape: Shape) -> watch::Receiver<CodecReport> {
    let mut running = lock(&PROBE);
    let known = running.as_ref().filter(|probe| {
        let report = probe.report.borrow();
        !report.done || report.is_enough() || probe.since.elapsed() < AGAIN
    });
    if let Some(known) = known {
        return known.report.clone();
    }
    let report = probe::in_background(shape);
    *running = Some(Running {
        report: report.clone(),
        since: Instant::now(),
    });
    report
}

/// The report of now; `None` before the first trials.
#[must_use]
pub fn known() -> Option<CodecReport> {
    let running = lock(&PROBE);
    running.as_ref().map(|probe| probe.report.borrow().clone())
}

/// Waits until `decide` can tell from what is known; in a process that has started its trials
/// before, that is at once.
pub(crate) async fn settle<T>(
    shape: Shape,
    decide: impl Fn(&CodecReport) -> Option<T>,
) -> Option<T> {
    let mut report = start(shape);
    loop {
        let found = decide(&report.borrow_and_update());
        if found.is_some() || report.changed().await.is_err() {
            return found.or_else(|| decide(&report.borrow()));
        }
    }
}

/// Waits until everything was tried.
pub async fn finished(shape: Shape) -> CodecReport {
    let whole = settle(shape, |report| report.done.then(|| report.clone())).await;
    whole.unwrap_or_else(|| CodecReport::new(shape))
}

/// Tries everything now. Blocks for some hundred milliseconds, and at most some seconds for each
/// that hangs.
pub(crate) fn now(shape: Shape) -> CodecReport {
    probe::run(shape, |_| {})
}
