//! The record of 200002: what the player reports of itself every two seconds.

use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::play_stats::DownlinkStats;
use crate::media::cpu::CpuMeter;
use crate::protocol::net_status::NetStatus;

/// Time between two records, as Tencent's SDK has it.
const EVERY: Duration = Duration::from_secs(2);

/// Counters of one connection at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    picture_bytes: u64,
    sound_bytes: u64,
    keys: u64,
}

impl Counters {
    fn of(arrivals: &Arrivals) -> Self {
        Self {
            picture_bytes: arrivals.picture_bytes.load(Relaxed),
            sound_bytes: arrivals.sound_bytes.load(Relaxed),
            keys: arrivals.keys.load(Relaxed),
        }
    }
}

#[derive(Debug)]
pub(super) struct Figures {
    since: Instant,
    last: Counters,
    cpu: CpuMeter,
    server: Option<IpAddr>,
}

impl Figures {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            last: Counters::default(),
            cpu: CpuMeter::default(),
            server: None,
        }
    }

    /// Begins a new connection to this relay.
    pub(super) fn restart(&mut self, server: Option<IpAddr>) {
        (self.since, self.last) = (Instant::now(), Counters::default());
        self.server = server;
    }

    /// The record, when it is time for it.
    pub(super) fn renew(
        &mut self,
        arrivals: &Arrivals,
        stats: &DownlinkStats,
        now: Instant,
    ) -> Option<NetStatus> {
        let span = now.saturating_duration_since(self.since);
        if span < EVERY {
            return None;
        }
        let seconds = span.as_secs_f64();
        let counters = Counters::of(arrivals);
        let last = std::mem::replace(&mut self.last, counters);
        self.since = now;
        let kbps = |now: u64, then: u64| now.saturating_sub(then) as f64 * 8.0 / 1000.0 / seconds;
        let keys = counters.keys.saturating_sub(last.keys);
        Some(NetStatus {
            cpu: self.cpu.look(),
            video_kbps: kbps(counters.picture_bytes, last.picture_bytes),
            audio_kbps: kbps(counters.sound_bytes, last.sound_bytes),
            fps: stats.fps,
            gop: (keys > 0).then(|| seconds / keys as f64),
            net_kbps: stats.kbps,
            jitter_ms: Some(stats.delay_ms.picture_jitter),
            cache: stats.buffer_ms,
            dropped: stats.skipped,
            width: stats.width,
            height: stats.height,
            server: self.server,
            codec_cache: arrivals.passage.on_the_way(),
            codec_dropped: arrivals.undecoded.load(Relaxed),
            wanted_kbps: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_every_two_seconds_what_came_since() {
        let mut figures = Figures::new(Instant::now());
        figures.restart(Some([127, 0, 0, 1].into()));
        let (start, arrivals) = (figures.since, Arrivals::default());
        let stats = DownlinkStats::default();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(figures.renew(&arrivals, &stats, at(1)), None);
        arrivals.picture_bytes.store(100_000, Relaxed);
        arrivals.sound_bytes.store(12_000, Relaxed);
        arrivals.keys.store(2, Relaxed);
        let status = figures.renew(&arrivals, &stats, at(2)).expect("a record");
        assert_eq!((status.video_kbps, status.audio_kbps), (400.0, 48.0));
        assert_eq!(status.gop, Some(1.0));
        assert_eq!(status.server, Some([127, 0, 0, 1].into()));
        let status = figures.renew(&arrivals, &stats, at(4)).expect("a record");
        assert_eq!((status.video_kbps, status.gop), (0.0, None));
    }
}
