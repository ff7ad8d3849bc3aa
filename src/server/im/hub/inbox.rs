//! The inbox of one user: messages from other users, each offered until it is acknowledged,
//! but only a few times.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::limits::QueueBounds;
use super::refusal::Refusal;
use crate::protocol::webim::Element;
use crate::server::clock::Now;

/// Offers of one message to a client that does not acknowledge, lest it loops for ever.
const OFFERS: u8 = 3;

/// A message from one user to another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Letter {
    pub(crate) from: String,
    /// Both chosen by the sender.
    pub(crate) seq: u64,
    pub(crate) random: u64,
    /// Unix seconds.
    pub(crate) time: u64,
    pub(crate) body: Vec<Element>,
    /// Bytes of `body` as JSON.
    pub(crate) size: usize,
}

/// A letter that waits.
#[derive(Debug)]
struct Waiting {
    letter: Arc<Letter>,
    notice: u64,
    offers: u8,
    /// [`Now::steady`] of the arrival.
    at: Duration,
}

/// Letters that wait for a user.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

impl Inbox {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn counted(&self) -> (usize, usize) {
        let bytes = self.waiting.iter().map(|waiting| waiting.letter.size).sum();
        (self.waiting.len(), bytes)
    }

    /// Takes in a letter. `notice` acknowledges it and is higher than all before, also in other inboxes,
    /// because a client goes on with its cookie after another login.
    pub(super) fn push(
        &mut self,
        letter: Letter,
        notice: u64,
        limits: &QueueBounds,
        now: Now,
    ) -> Result<(), Refusal> {
        if self.waiting.len() >= limits.messages || self.bytes + letter.size > limits.bytes {
            return Err(Refusal::InboxFull);
        }
        self.bytes += letter.size;
        self.waiting.push_back(Waiting {
            letter: Arc::new(letter),
            notice,
            offers: 0,
            at: now.steady,
        });
        Ok(())
    }

    /// Lets go of what was received up to `notice`, and of what was offered in vain.
    pub(super) fn acknowledge(&mut self, notice: u64) {
        self.drop_while(|first| first.notice <= notice || first.offers >= OFFERS);
    }

    pub(super) fn drop_old(&mut self, limits: &QueueBounds, now: Now) {
        self.drop_while(|first| now.steady.saturating_sub(first.at) > limits.age);
    }

    fn drop_while(&mut self, unwanted: impl Fn(&Waiting) -> bool) {
        while self.waiting.front().is_some_and(&unwanted) {
            let gone = self.waiting.pop_front();
            self.bytes -= gone.map_or(0, |gone| gone.letter.size);
        }
    }

    /// The oldest letters, and the number by which all of them are acknowledged.
    pub(super) fn offer(&mut self, count: usize) -> (Vec<Arc<Letter>>, u64) {
        let mut notice = 0;
        let first = self.waiting.iter_mut().take(count);
        let letters = first.map(|waiting| {
            waiting.offers += 1;
            notice = waiting.notice;
            waiting.letter.clone()
        });
        (letters.collect(), notice)
    }
}
