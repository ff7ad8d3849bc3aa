//! Agents that let a customer wait in vain, and are not asked for again at once.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Time for which an agent is not asked for: whoever went for a coffee is then back.
const FOR: Duration = Duration::from_secs(60);

/// Agents that are remembered at once.
const MOST: usize = 32;

/// The agents, with the time at which each was passed over.
#[derive(Debug, Default)]
pub(super) struct PassedOver(VecDeque<(String, Instant)>);

impl PassedOver {
    pub(super) fn add(&mut self, agent: String, now: Instant) {
        if agent.is_empty() {
            return;
        }
        self.0.retain(|(known, _)| *known != agent);
        self.0.push_back((agent, now));
        if self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    /// Those that are not to be asked for now.
    pub(super) fn now(&mut self, now: Instant) -> Vec<String> {
        self.0.retain(|(_, at)| now.duration_since(*at) < FOR);
        self.0.iter().map(|(agent, _)| agent.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_gets_another_chance_after_a_minute() {
        let start = Instant::now();
        let mut passed = PassedOver::default();
        passed.add("ann".to_owned(), start);
        passed.add(String::new(), start);
        passed.add("bob".to_owned(), start + Duration::from_secs(30));
        assert_eq!(passed.now(start + Duration::from_secs(59)), ["ann", "bob"]);
        assert_eq!(passed.now(start + Duration::from_secs(61)), ["bob"]);
        for n in 0..100 {
            passed.add(n.to_string(), start);
        }
        assert_eq!(passed.now(start).len(), MOST);
    }
}
