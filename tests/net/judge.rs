//! Judges arrivals of pictures: delay, freezes, rates. Times are microseconds on the clock
//! that all processes share.

use std::ops::Range;

pub(crate) const SECOND: u64 = 1_000_000;

/// A picture: when it arrived or was shown, and when it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) at: u64,
    pub(crate) captured: u64,
}

impl Seen {
    /// Returns its age, in ms.
    pub(crate) fn age(&self) -> f64 {
        millis(self.captured, self.at)
    }
}

/// From one moment to another, in ms; less than 0 if the other was first.
pub(crate) fn millis(from: u64, to: u64) -> f64 {
    (to as f64 - from as f64) / 1000.0
}

/// The pictures of a span.
pub(crate) fn during(seen: &[Seen], span: &Range<u64>) -> Vec<Seen> {
    let inside = |seen: &&Seen| span.contains(&seen.at);
    seen.iter().filter(inside).copied().collect()
}

/// Returns the maximum age of the shown picture in a span, in ms: late and missing ones count.
pub(crate) fn oldest_shown(seen: &[Seen], span: &Range<u64>) -> f64 {
    let before = seen.iter().rposition(|seen| seen.at < span.start);
    let from = seen.get(before.unwrap_or(0)..).unwrap_or_default();
    let shown = from.iter().take_while(|seen| seen.at < span.end);
    let until = from.iter().skip(1).map(|next| next.at.min(span.end));
    let ages = shown.zip(until.chain([span.end]));
    ages.map(|(seen, until)| millis(seen.captured, until))
        .fold(0.0, f64::max)
}

/// The longest time without a new picture in a span, in ms.
pub(crate) fn longest_freeze(seen: &[Seen], span: &Range<u64>) -> f64 {
    let shown: Vec<u64> = during(seen, span).iter().map(|seen| seen.at).collect();
    longest_gap(&shown, span)
}

/// The longest time between two moments of a span, in ms.
pub(crate) fn longest_gap(moments: &[u64], span: &Range<u64>) -> f64 {
    let moments = [&[span.start], moments, &[span.end]].concat();
    let gaps = moments.windows(2).map(|pair| millis(pair[0], pair[1]));
    gaps.fold(0.0, f64::max)
}

/// The oldest that was shown in each second of a span, in ms.
pub(crate) fn curve(seen: &[Seen], from: u64, seconds: u64) -> Vec<u64> {
    let second = |n| from + n * SECOND..from + (n + 1) * SECOND;
    (0..seconds)
        .map(|n| oldest_shown(seen, &second(n)) as u64)
        .collect()
}

/// kbit/s of arrivals of so many bytes in a span.
pub(crate) fn kbps(arrivals: &[(u64, usize)], span: &Range<u64>) -> f64 {
    let inside = arrivals.iter().filter(|(at, _)| span.contains(at));
    let bytes: usize = inside.map(|(_, bytes)| *bytes).sum();
    bytes as f64 * 8.0 / millis(span.start, span.end)
}

/// The value that `part` of all are not above.
pub(crate) fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (last as f64 * part).round() as usize;
    values.get(at).copied().unwrap_or(f64::INFINITY)
}

#[test]
fn what_does_not_come_is_late_too() {
    let seen = [(1000, 900), (2000, 1900), (9000, 8500)].map(|(at, captured)| Seen {
        at: at * 1000,
        captured: captured * 1000,
    });
    let ms = |from: u64, to: u64| from * 1000..to * 1000;
    assert_eq!(oldest_shown(&seen, &ms(1000, 2500)), 1100.0);
    assert_eq!(oldest_shown(&seen, &ms(1500, 9500)), 7100.0);
    assert_eq!(oldest_shown(&seen, &ms(3000, 4000)), 2100.0);
    assert_eq!(longest_freeze(&seen, &ms(0, 4000)), 2000.0);
    assert_eq!(longest_freeze(&[], &ms(0, 4000)), 4000.0);
    assert_eq!(quantile(vec![3.0, 1.0, 2.0], 0.5), 2.0);
    assert_eq!(kbps(&[(0, 100), (1000, 125)], &(500..1_500)), 1000.0);
}
