//! What a load measured, for programs and for people.

use std::time::Duration;

use serde::Serialize;

use super::process::Usage;
use super::tally::Counts;
use crate::bench::spread::Spread;

/// The JSON of `rtckiosk bench server --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Report {
    /// No heartbeat and no poll failed, from the first on, and heartbeats took no longer than
    /// wanted.
    pub(super) ok: bool,
    /// What 99 of 100 heartbeats may take.
    pub(super) p99_ms: f64,
    /// The first failures in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) failures: Vec<String>,
    pub(super) room_type: &'static str,
    pub(super) members: usize,
    /// Two for a member's polls, one where files are scarce, and those that carry everything else.
    pub(super) poll_connections: usize,
    pub(super) other_connections: usize,
    /// From the first login to the last member's entry.
    pub(super) enter_seconds: f64,
    /// Length of the measurement, which began then.
    pub(super) seconds: f64,
    pub(super) requests_per_second: f64,
    pub(super) heartbeats_failed: u64,
    /// Milliseconds from when a heartbeat was due to its answer, the clients' own delay and that
    /// of heartbeats before it included.
    pub(super) heartbeat_ms: Spread,
    /// Milliseconds from sending it.
    pub(super) answer_ms: Spread,
    pub(super) polls_per_second: f64,
    pub(super) polls_failed: u64,
    /// Messages that the polls brought.
    pub(super) messages: usize,
    pub(super) server: ServerUse,
    pub(super) client: ClientUse,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peer: Option<PeerUse>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ServerUse {
    /// Of one core, on average.
    pub(super) cpu_percent: f64,
    /// Time in which it could have worked but others had its core.
    pub(super) waited_percent: f64,
    /// Whether the clients kept off its core.
    pub(super) has_own_core: bool,
    /// Resident memory before the first login, and with all members there.
    pub(super) idle_bytes: u64,
    pub(super) loaded_bytes: u64,
    pub(super) bytes_per_member: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ClientUse {
    pub(super) cpu_percent: f64,
    /// Milliseconds by which heartbeats left later than planned.
    pub(super) late_ms: Spread,
}

/// nginx, asked at the same rate on the same core.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct PeerUse {
    pub(super) cpu_percent: f64,
    pub(super) answer_ms: Spread,
}

/// What happened between two looks at a process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between {
    pub(super) before: Usage,
    pub(super) after: Usage,
    pub(super) time: Duration,
}

impl Between {
    pub(super) fn cpu_percent(&self) -> f64 {
        self.percent(self.after.cpu.saturating_sub(self.before.cpu))
    }

    pub(super) fn waited_percent(&self) -> f64 {
        self.percent(self.after.waited.saturating_sub(self.before.waited))
    }

    fn percent(&self, part: Duration) -> f64 {
        100.0 * part.as_secs_f64() / self.time.as_secs_f64()
    }
}

impl Report {
    /// Takes in what the members counted.
    #[must_use]
    pub(super) fn with(mut self, counts: &Counts) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rate = |count: u64| count as f64 / self.seconds;
        self.requests_per_second = rate(counts.answered);
        self.polls_per_second = rate(counts.polls);
        self.polls_failed = counts.polls_failed;
        self.messages = counts.messages;
        self.heartbeat_ms = Spread::of(&counts.beats);
        self.answer_ms = Spread::of(&counts.answers);
        self.client.late_ms = Spread::of(&counts.late);
        if let Some(peer) = &mut self.peer {
            peer.answer_ms = Spread::of(&counts.peer_answers);
        }
        self.heartbeats_failed = counts.beats_failed;
        self.failures.clone_from(&counts.failures);
        if counts.beats.is_empty() {
            self.failures.push("no heartbeat was answered".to_owned());
        }
        self.ok = self.failures.is_empty() && self.heartbeat_ms.p99 <= self.p99_ms;
        self
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { server, client, .. } = self;
        let mib = |bytes: u64| bytes >> 20;
        writeln!(
            f,
            "load        {} members of {}, {:.0} s after {:.1} s of entering",
            self.members, self.room_type, self.seconds, self.enter_seconds
        )?;
        writeln!(
            f,
            "connections {} for polls, {} for everything else",
            self.poll_connections, self.other_connections
        )?;
        writeln!(f, "requests    {:.0} per second", self.requests_per_second)?;
        writeln!(
            f,
            "heartbeats  {}, {} failed",
            self.heartbeat_ms, self.heartbeats_failed
        )?;
        writeln!(f, "from sending {}", self.answer_ms)?;
        writeln!(
            f,
            "polls       {:.0} per second, {} failed, {} messages",
            self.polls_per_second, self.polls_failed, self.messages
        )?;
        writeln!(
            f,
            "server      {:.1} % of one core, {:.1} % waiting for it{}",
            server.cpu_percent,
            server.waited_percent,
            if server.has_own_core {
                ""
            } else {
                " (shared with the clients)"
            }
        )?;
        writeln!(
            f,
            "memory      {} MiB idle, {} MiB loaded, {} bytes per member",
            mib(server.idle_bytes),
            mib(server.loaded_bytes),
            server.bytes_per_member
        )?;
        write!(
            f,
            "clients     {:.1} % of one core, late by {}",
            client.cpu_percent, client.late_ms
        )?;
        if let Some(peer) = &self.peer {
            write!(
                f,
                "\nnginx       {:.1} % of one core, {}",
                peer.cpu_percent, peer.answer_ms
            )?;
        }
        for failure in &self.failures {
            write!(f, "\nfailure     {failure}")?;
        }
        Ok(())
    }
}
