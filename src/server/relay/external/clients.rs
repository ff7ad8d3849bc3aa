//! The clients of an external relay that asks before it lets them in: who publishes and plays what, as the relay
//! has told, so that they can be sent away when their right ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::kick::Kick;
use crate::server::relay::gate::Gate;
use crate::server::relay::rights::MAX_SPARE;

/// Clients that are remembered; more are not let in.
const MOST: usize = 50_000;

/// A client that wants in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The relay's own name for the connection.
    pub client: String,
    pub app: String,
    pub stream: String,
    /// The query of the URL, without `?`.
    pub query: String,
}

/// A client that was let in.
#[derive(Debug, Clone)]
struct Client {
    app: String,
    stream: String,
    user: String,
    publishes: bool,
}

/// All clients of an external relay, as far as it told.
#[derive(Debug)]
pub struct ExternalClients {
    gate: Arc<dyn Gate>,
    kick: Option<Kick>,
    clients: Mutex<HashMap<String, Client>>,
}

impl ExternalClients {
    /// Without `kick` nobody is sent away: then rights end with the connection.
    #[must_use]
    pub fn new(gate: Arc<dyn Gate>, kick: Option<Kick>) -> Self {
        Self {
            gate,
            kick,
            clients: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a client publish, if it may.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn publish(&self, attempt: Attempt) -> Result<(), String> {
        let user = self.gate.publisher(&attempt.stream, &attempt.query)?;
        if !user.is_empty() && !self.gate.is_members(&attempt.stream) {
            let clients = self.lock();
            let theirs = clients
                .values()
                .filter(|client| client.publishes && client.user == user);
            let others = theirs.filter(|client| client.stream != attempt.stream);
            let spare = others.filter(|client| !self.gate.is_members(&client.stream));
            if spare.count() >= MAX_SPARE {
                return Err(format!(
                    "{user} publishes {MAX_SPARE} streams that no room knows"
                ));
            }
        }
        self.let_in(attempt, user, true)
    }

    /// Lets a client play, if it may.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn play(&self, attempt: Attempt) -> Result<(), String> {
        let user = self.gate.viewer(&attempt.stream, &attempt.query)?;
        self.let_in(attempt, user, false)
    }

    fn let_in(&self, attempt: Attempt, user: String, publishes: bool) -> Result<(), String> {
        let mut clients = self.lock();
        if clients.len() >= MOST {
            return Err(format!("the relay has {MOST} clients already"));
        }
        let client = Client {
            app: attempt.app,
            stream: attempt.stream,
            user,
            publishes,
        };
        clients.insert(attempt.client, client);
        Ok(())
    }

    /// Forgets a client that has left.
    pub fn left(&self, client: &str) {
        self.lock().remove(client);
    }

    /// The streams that are published or played.
    #[must_use]
    pub fn streams(&self) -> Vec<String> {
        let mut streams: Vec<_> = self
            .lock()
            .values()
            .map(|client| client.stream.clone())
            .collect();
        streams.sort();
        streams.dedup();
        streams
    }

    /// Sends away the players of a stream for whose users `stays` does not hold.
    pub fn end_plays(&self, stream: &str, stays: impl Fn(&str) -> bool) {
        self.end(stream, false, stays);
    }

    /// Sends away the publisher of a stream unless `stays` holds for its owner.
    pub fn end_publish(&self, stream: &str, stays: impl Fn(&str) -> bool) {
        self.end(stream, true, stays);
    }

    fn end(&self, stream: &str, publishes: bool, stays: impl Fn(&str) -> bool) {
        let clients = self.lock();
        let here = clients
            .iter()
            .filter(|(_, client)| client.stream == stream && client.publishes == publishes);
        let here: Vec<_> = here
            .map(|(id, client)| (id.clone(), client.clone()))
            .collect();
        // The one that judges has locks of its own.
        drop(clients);
        for (id, client) in here.into_iter().filter(|(_, client)| !stays(&client.user)) {
            log::info!(stream, user = client.user.as_str(); "the right to use the relay ended");
            match &self.kick {
                Some(kick) => kick.send_away(&id, &client.app, stream, publishes),
                None => {
                    log::warn!(stream; "relay.external.control_url is not set: nobody is sent away");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knows users by the query, and rooms by the name of the stream.
    #[derive(Debug)]
    struct Told;

    impl Gate for Told {
        fn publisher(&self, _stream: &str, query: &str) -> Result<String, String> {
            Ok(query.to_owned())
        }

        fn is_members(&self, stream: &str) -> bool {
            stream.starts_with("member")
        }

        fn viewer(&self, _stream: &str, query: &str) -> Result<String, String> {
            if query == "eve" {
                Err("no".to_owned())
            } else {
                Ok(query.to_owned())
            }
        }

        fn may_play(&self, _stream: &str, _viewer: &str) -> bool {
            true
        }
    }

    fn attempt(client: &str, stream: &str, query: &str) -> Attempt {
        Attempt {
            client: client.into(),
            app: "live".into(),
            stream: stream.into(),
            query: query.into(),
        }
    }

    #[test]
    fn clients_are_known_until_they_leave() {
        let clients = ExternalClients::new(Arc::new(Told), None);
        assert_eq!(clients.play(attempt("1", "a", "eve")), Err("no".to_owned()));
        clients.play(attempt("1", "a", "bob")).unwrap();
        for (n, stream) in ["a", "b", "c", "member"].iter().enumerate() {
            clients
                .publish(attempt(&format!("p{n}"), stream, "ann"))
                .unwrap();
        }
        assert!(clients.publish(attempt("p9", "d", "ann")).is_err());
        clients.publish(attempt("p9", "a", "ann")).unwrap();
        assert_eq!(clients.streams(), ["a", "b", "c", "member"]);
        for client in ["1", "p0", "p1", "p9"] {
            clients.left(client);
        }
        assert_eq!(clients.streams(), ["c", "member"]);
        clients.publish(attempt("p9", "d", "ann")).unwrap();
    }
}
