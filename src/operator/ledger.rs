//! The users of a configuration, changed by one command at a time, and the key that signs for them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};

use crate::config::ServerConfig;
use crate::protocol::user_sig::{self, Claims, Form, SigningKey};
use crate::server::Settings;
use crate::server::users::{User, Users};

/// The users, locked against other commands until dropped.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) users: Users,
    path: PathBuf,
    _lock: File,
}

/// Unix seconds.
pub(super) fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Reads the configuration of a server.
///
/// # Errors
/// All that is wrong with it, in words for the operator.
pub fn read(path: &Path) -> Result<ServerConfig> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow::anyhow!("cannot read {name}: {error}"))?;
    ServerConfig::parse(&name, &text)
        .map_err(|wrong| anyhow::anyhow!("the configuration is wrong\n{wrong}"))
}

impl Ledger {
    /// Opens the users of a configuration.
    pub(super) fn open(config: &ServerConfig) -> Result<Self> {
        let Some(path) = Settings::users_file(config) else {
            bail!("the configuration has neither state_dir nor auth.users_file: no users are kept");
        };
        let folder = path.parent().context("the users file is in a directory")?;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let lock = path.with_added_extension("lock");
        let file =
            File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
        flock(&file, FlockOperation::LockExclusive).context("cannot lock the users file")?;
        Ok(Self {
            users: Users::load(&path)?,
            path,
            _lock: file,
        })
    }

    /// Keeps what was changed.
    pub(super) fn save(&self) -> Result<()> {
        self.users.save(&self.path)?;
        Ok(())
    }
}

/// Signs for a user of the file, and notes until when that is good.
pub(super) fn sign(
    config: &ServerConfig,
    id: &str,
    user: &mut User,
    days: Option<u64>,
    now: u64,
) -> Result<String> {
    let key = signing_key(config)?;
    let life = days.map_or(config.auth.user_sig_life.as_secs(), |days| days * 86_400);
    let claims = Claims {
        sdk_app_id: config.auth.sdk_app_id,
        account_type: config.auth.account_type.clone(),
        identifier: id.to_owned(),
        // Signatures of the time before a revocation are void, also of the same second.
        time: now.max(user.valid_from),
        expire_after: life,
    };
    user.signed_until = Some(claims.time + life);
    Ok(user_sig::make(&key, &claims, Form::Node)?)
}

fn signing_key(config: &ServerConfig) -> Result<SigningKey> {
    let key = Settings::signing_key(config)?;
    key.context("auth.public_key_file only verifies: the owner of the private key signs")
}
