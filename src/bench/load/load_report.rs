//! The figures of a load, for programs and for people.

use std::time::Duration;

use serde::Serialize;

use super::load_run::LoadRun;
use super::tally::Counts;
use super::usage::Usage;
use crate::bench::tools::Spread;
use crate::protocol::RoomType;

/// The JSON of `rtckiosk bench server --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LoadReport {
    /// Whether no heartbeat and no poll failed, from the first on, and heartbeats took no longer
    /// than wanted.
    pub(super) ok: bool,
    /// Longest time that 99 of 100 heartbeats may take.
    pub(super) p99_ms: f64,
    /// The first failures in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) failures: Vec<String>,
    pub(super) room_type: RoomType,
    pub(super) members: usize,
    /// Connections for polls, two for each member, or one where files are scarce; and those for
    /// everything else.
    pub(super) poll_connections: usize,
    pub(super) other_connections: usize,
    /// Time from the first login to the last member's entry.
    pub(super) enter_seconds: f64,
    /// Length of the measurement, which began then.
    pub(super) seconds: f64,
    pub(super) requests_per_second: f64,
    pub(super) heartbeats_failed: u64,
    /// Milliseconds from when a heartbeat was due to its answer, the clients' own delay and that
    /// of heartbeats before it included.
    pub(super) heartbeat_ms: Spread,
    /// Milliseconds from sending it to its answer.
    pub(super) answer_ms: Spread,
    pub(super) polls_per_second: f64,
    pub(super) polls_failed: u64,
    /// Messages that the polls brought.
    pub(super) messages: usize,
    pub(super) server: ServerUse,
    pub(super) client: ClientUse,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peer: Option<NginxUse>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ServerUse {
    /// Percent of one core, on average.
    pub(super) cpu_percent: f64,
    /// Percent of the time in which it could have worked but others had its core.
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
pub(super) struct NginxUse {
    pub(super) cpu_percent: f64,
    pub(super) answer_ms: Spread,
}

/// Use of all processes at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usages {
    pub(super) server: Usage,
    pub(super) clients: Usage,
    pub(super) nginx: Option<Usage>,
}

/// The facts that the report is made of.
#[derive(Debug)]
pub(super) struct Measurement<'a> {
    pub(super) run: &'a LoadRun,
    pub(super) p99_ms: f64,
    pub(super) cores_are_apart: bool,
    pub(super) enter_seconds: f64,
    /// Length of the measurement, with the use at its begin and at its end.
    pub(super) time: Duration,
    pub(super) before: Usages,
    pub(super) after: Usages,
    /// Use of the server before the first login.
    pub(super) idle: Usage,
    pub(super) counts: Counts,
}

impl Measurement<'_> {
    fn server(&self) -> ServerUse {
        let (before, after) = (&self.before.server, &self.after.server);
        let (idle_bytes, loaded_bytes) = (self.idle.resident_bytes, after.resident_bytes);
        ServerUse {
            cpu_percent: after.cpu_percent(before, self.time),
            waited_percent: after.waited_percent(before, self.time),
            has_own_core: self.cores_are_apart,
            idle_bytes,
            loaded_bytes,
            bytes_per_member: loaded_bytes.saturating_sub(idle_bytes) / self.run.members as u64,
        }
    }

    fn nginx(&self) -> Option<NginxUse> {
        let (before, after) = self.before.nginx.zip(self.after.nginx)?;
        Some(NginxUse {
            cpu_percent: after.cpu_percent(&before, self.time),
            answer_ms: Spread::of(&self.counts.baseline_answers),
        })
    }
}

impl LoadReport {
    pub(super) fn of(measured: Measurement<'_>) -> Self {
        let (server, peer) = (measured.server(), measured.nginx());
        let Measurement {
            run, time, counts, ..
        } = measured;
        let rate = |count: u64| count as f64 / time.as_secs_f64();
        let heartbeat_ms = Spread::of(&counts.heartbeats);
        let mut failures = counts.failures;
        if counts.heartbeats.is_empty() {
            failures.push("no heartbeat was answered".to_owned());
        }
        let (before, after) = (measured.before.clients, measured.after.clients);
        Self {
            ok: failures.is_empty() && heartbeat_ms.p99 <= measured.p99_ms,
            p99_ms: measured.p99_ms,
            failures,
            room_type: run.room_type,
            members: run.members,
            poll_connections: run.members + run.plan.ordinary_polls,
            other_connections: run.plan.others,
            enter_seconds: measured.enter_seconds,
            seconds: time.as_secs_f64(),
            requests_per_second: rate(counts.answered),
            heartbeats_failed: counts.heartbeats_failed,
            heartbeat_ms,
            answer_ms: Spread::of(&counts.answers),
            polls_per_second: rate(counts.polls),
            polls_failed: counts.polls_failed,
            messages: counts.messages,
            server,
            client: ClientUse {
                cpu_percent: after.cpu_percent(&before, time),
                late_ms: Spread::of(&counts.late),
            },
            peer,
        }
    }
}

impl std::fmt::Display for LoadReport {
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
