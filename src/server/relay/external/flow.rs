//! Whether a published stream flows: relays such as nginx keep that of a publisher that died without
//! a word, so that only its count of bytes tells.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::answer::Publishing;
use crate::server::relay::probe::StreamState;

/// Time between two looks after which a count that stands still means something: twice what even
/// a picture every other second would need, as for the embedded relay.
const STILL: Duration = Duration::from_secs(4);
/// Time after which a look says nothing about now: a stream may have ended and begun again.
const OLD: Duration = Duration::from_secs(60);

/// The count of a look, and its time.
type Look = (u64, Instant);

/// The last looks at streams. Those that are old are dropped at every look.
#[derive(Debug, Default)]
pub(super) struct Flow(Mutex<HashMap<String, Look>>);

impl Flow {
    /// Judges a stream by what a relay says now and said before.
    pub(super) fn judge(&self, stream: &str, publishing: Publishing, now: Instant) -> StreamState {
        let bytes = match publishing {
            Publishing::No => return StreamState::NotLive,
            Publishing::Yes(None) => return StreamState::Live,
            Publishing::Yes(Some(bytes)) => bytes,
        };
        // No change of the map can be left half done.
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|_, (_, at)| now - *at < OLD);
        let earlier = looks.get(stream).copied();
        if earlier.is_none_or(|(before, _)| before != bytes) {
            looks.insert(stream.to_owned(), (bytes, now));
        }
        flows(earlier, bytes, now)
    }
}

fn flows(earlier: Option<Look>, bytes: u64, now: Instant) -> StreamState {
    match earlier {
        Some((before, at)) if before == bytes && now - at >= STILL => StreamState::NotLive,
        Some((before, _)) if before == bytes => {
            StreamState::Unknown("no bytes came since the last look, a moment ago".to_owned())
        }
        // The next look compares.
        _ => StreamState::Live,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_stands_still_is_a_stream_that_does() {
        let (flow, start) = (Flow::default(), Instant::now());
        let look = |bytes, seconds| {
            let now = start + Duration::from_secs(seconds);
            flow.judge("s", Publishing::Yes(Some(bytes)), now)
        };
        assert_eq!(look(10, 0), StreamState::Live, "nothing to compare with");
        assert_eq!(look(20, 1), StreamState::Live);
        assert!(matches!(look(20, 2), StreamState::Unknown(_)));
        assert!(matches!(look(20, 4), StreamState::Unknown(_)));
        assert_eq!(look(20, 5), StreamState::NotLive);
        assert_eq!(look(21, 6), StreamState::Live);
        assert_eq!(look(21, 600), StreamState::Live, "too old");
    }

    #[test]
    fn relays_that_do_not_count_are_believed() {
        let (flow, now) = (Flow::default(), Instant::now());
        assert_eq!(flow.judge("s", Publishing::No, now), StreamState::NotLive);
        assert_eq!(
            flow.judge("s", Publishing::Yes(None), now),
            StreamState::Live
        );
    }
}
