//! The last events and messages of a session, for its status.

use std::collections::VecDeque;
use std::time::Instant;

use super::status::Received;

/// Maximum of events, and of messages, that are kept: what a terminal shows at once.
const KEPT: usize = 20;

pub(super) struct History {
    started: Instant,
    events: VecDeque<String>,
    messages: VecDeque<Received>,
}

impl History {
    /// Begins now.
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            events: VecDeque::new(),
            messages: VecDeque::new(),
        }
    }

    pub(super) fn note(&mut self, event: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        keep(&mut self.events, format!("{seconds:.1} s {event}"));
    }

    pub(super) fn keep_message(&mut self, message: Received) {
        let seconds = self.started.elapsed().as_secs_f64();
        keep(&mut self.messages, Received { seconds, ..message });
    }

    /// Oldest first, with seconds since the start.
    pub(super) fn events(&self) -> Vec<String> {
        self.events.iter().cloned().collect()
    }

    /// Messages of others, oldest first.
    pub(super) fn messages(&self) -> Vec<Received> {
        self.messages.iter().cloned().collect()
    }
}

fn keep<T>(kept: &mut VecDeque<T>, newest: T) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(newest);
}
