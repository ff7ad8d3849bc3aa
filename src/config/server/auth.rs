//! `[auth]` and `open`: identities, their proofs, and what each may do.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::config::document::Section;
use crate::config::rules;

/// Whether identities are given for the asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever asks gets a signed identity: for one machine, and for trials.
    Open,
    /// Only who brings a signed identity gets in.
    Locked,
}

impl Access {
    /// Reads `open`; without it a server is open only where nobody else reaches it.
    pub(super) fn read(root: &Section<'_>, asks_for_locks: bool) -> Self {
        if root.get("open", !asks_for_locks, rules::flag) {
            Self::Open
        } else {
            Self::Locked
        }
    }
}

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Locked => "locked",
        })
    }
}

/// The part that a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserRole {
    /// A device in a branch: it is offered agents' rooms only.
    Kiosk,
    /// Opens rooms that are offered to kiosks.
    Agent,
    /// An agent that sees what agents do.
    Supervisor,
    /// Everybody else: enters rooms and opens some, which no kiosk is offered.
    Plain,
}

impl UserRole {
    /// Whether kiosks are offered the rooms of such a user.
    #[must_use]
    pub fn serves_customers(self) -> bool {
        matches!(self, Self::Agent | Self::Supervisor)
    }
}

impl std::fmt::Display for UserRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Kiosk => "kiosk",
            Self::Agent => "agent",
            Self::Supervisor => "supervisor",
            Self::Plain => "plain",
        })
    }
}

/// Beginnings of user ids that tell a role, for identities that somebody else signs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes {
    pub kiosk: Vec<String>,
    pub agent: Vec<String>,
    pub supervisor: Vec<String>,
}

impl Prefixes {
    /// The role of a user whom no file names; the longest beginning counts.
    #[must_use]
    pub fn role(&self, user: &str) -> UserRole {
        let roles = [
            (UserRole::Kiosk, &self.kiosk),
            (UserRole::Agent, &self.agent),
            (UserRole::Supervisor, &self.supervisor),
        ];
        let fitting = roles.into_iter().flat_map(|(role, prefixes)| {
            let fitting = prefixes.iter().filter(|prefix| user.starts_with(*prefix));
            fitting.map(move |prefix| (prefix.len(), role))
        });
        fitting
            .max_by_key(|(length, _)| *length)
            .map_or(UserRole::Plain, |(_, role)| role)
    }
}

/// `[auth]`: identities and their proofs.
#[derive(Debug, Clone)]
pub struct Auth {
    pub sdk_app_id: u64,
    pub account_type: String,
    pub keys: Keys,
    /// Life of a userSig that this server signs.
    pub user_sig_life: Duration,
    /// Life of a token.
    pub token_life: Duration,
    /// File of users and revocations; `None`: `users.json` in `state_dir`, if there is one.
    pub users_file: Option<PathBuf>,
    /// Roles of users that are not in the file.
    pub prefixes: Prefixes,
    /// Key for tokens and for requests to Tencent; `None`: made up at each start.
    pub api_key: Option<SecretString>,
}

/// The key pair of userSig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// Made at the first start and kept in `state_dir`, or made at each start without one.
    Generated,
    /// PEM file of a key that signs and verifies.
    Private(PathBuf),
    /// PEM file of a key that verifies the signatures of others.
    Public(PathBuf),
}

impl Auth {
    /// Whether the operator has given a key for identities.
    pub(super) fn has_keys(&self) -> bool {
        self.keys != Keys::Generated
    }

    pub(super) fn read(auth: &Section<'_>) -> Self {
        let private = auth.optional("private_key_file", rules::path);
        let public = auth.optional("public_key_file", rules::path);
        if private.is_some() && public.is_some() {
            auth.reject(
                "public_key_file",
                "not together with auth.private_key_file, which holds the public key too",
            );
        }
        Self {
            sdk_app_id: auth.get(
                "sdk_app_id",
                1_400_000_001,
                rules::whole(1..=u64::from(u32::MAX)),
            ),
            account_type: auth.get("account_type", "1".to_owned(), rules::identifier(32)),
            keys: private
                .map(Keys::Private)
                .or(public.map(Keys::Public))
                .unwrap_or(Keys::Generated),
            user_sig_life: auth.get(
                "usersig_seconds",
                Duration::from_secs(2_592_000),
                rules::seconds(60..=31_536_000),
            ),
            token_life: auth.get(
                "token_seconds",
                Duration::from_secs(86_400),
                rules::seconds(60..=2_592_000),
            ),
            users_file: auth.optional("users_file", rules::path),
            prefixes: Prefixes {
                kiosk: auth.get("kiosk_prefixes", Vec::new(), rules::beginnings),
                agent: auth.get("agent_prefixes", Vec::new(), rules::beginnings),
                supervisor: auth.get("supervisor_prefixes", Vec::new(), rules::beginnings),
            },
            api_key: auth.secret("api_key", rules::secret(8)),
        }
    }
}
