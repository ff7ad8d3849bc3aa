//! `rtcroomd user`: who may come, in which role, until when.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::ledger::{Ledger, read, sign, unix_now};
use super::qr;
use crate::config::ServerConfig;
use crate::config::server::UserRole;
use crate::process::output;
use crate::server::users::{User, is_user_id};

/// Commands on the users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Let a user in, also one that was revoked, and print their userSig
    Add {
        id: String,
        #[arg(long, value_enum, default_value = "plain")]
        role: UserRole,
        #[command(flatten)]
        sign: SignArguments,
    },
    /// Sign for a user once more, and print the userSig
    Sign {
        id: String,
        #[command(flatten)]
        sign: SignArguments,
    },
    /// List users with their roles, revocations and the end of their last signature
    List {
        #[arg(long)]
        json: bool,
    },
    /// Shut a user out at once; what was signed for them stays void
    Revoke { id: String },
}

/// The life and the form of a signature.
#[derive(Debug, Args)]
pub struct SignArguments {
    /// Days for which it is good; not given: auth.usersig_seconds
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3650))]
    days: Option<u64>,
    /// Also write what a device needs into a QR code (PNG)
    #[arg(long, value_name = "FILE")]
    qr: Option<PathBuf>,
}

/// Does a command on the users of the configuration at `path`.
pub(super) fn run(command: &UserCommand, path: &Path) -> Result<()> {
    let config = read(path)?;
    let mut ledger = Ledger::open(&config)?;
    let now = unix_now();
    match command {
        UserCommand::Add {
            id,
            role,
            sign: arguments,
        } => {
            check_id(id)?;
            ledger.users.add(id, *role, now);
            give(&config, &mut ledger, id, arguments, now)
        }
        UserCommand::Sign {
            id,
            sign: arguments,
        } => {
            check_id(id)?;
            match ledger.users.get(id) {
                None => bail!("{id} is not known here: rtcroomd user add {id}"),
                Some(user) if user.revoked.is_some() => {
                    bail!("{id} is revoked: rtcroomd user add {id} lets them in again")
                }
                Some(_) => give(&config, &mut ledger, id, arguments, now),
            }
        }
        UserCommand::List { json } => print(&list(&ledger, *json, now)?),
        UserCommand::Revoke { id } => {
            check_id(id)?;
            let role = config.auth.prefixes.role(id);
            ledger.users.revoke(id, role, now);
            ledger.save()?;
            print(&format!(
                "{id} is revoked; a running server ends all they have within two seconds\n"
            ))
        }
    }
}

fn check_id(id: &str) -> Result<()> {
    if !is_user_id(id) {
        bail!("{id:?} is no user id: 1 to 128 bytes without control characters");
    }
    Ok(())
}

/// Signs, keeps and prints.
fn give(
    config: &ServerConfig,
    ledger: &mut Ledger,
    id: &str,
    arguments: &SignArguments,
    now: u64,
) -> Result<()> {
    let Some(user) = ledger.users.get_mut(id) else {
        bail!("{id} is not known here");
    };
    let sig = sign(config, id, user, arguments.days, now)?;
    ledger.save()?;
    if let Some(file) = &arguments.qr {
        let auth = &config.auth;
        let device = json!({ "server_url": server_url(config), "user_id": id, "sdk_app_id": auth.sdk_app_id,
            "account_type": auth.account_type, "user_sig": sig });
        qr::write(file, &device.to_string())?;
    }
    print(&format!("{sig}\n"))
}

/// The address by which devices reach the server, as far as the configuration tells.
fn server_url(config: &ServerConfig) -> String {
    let scheme = if config.http.tls { "https" } else { "http" };
    let host = match &config.relay {
        crate::config::server::Relay::Embedded(relay) => relay.public_host.clone(),
        crate::config::server::Relay::External(_) => None,
    };
    let host = host.unwrap_or_else(|| config.http.listen.ip().to_string());
    format!("{scheme}://{host}:{}/weapp", config.http.listen.port())
}

fn list(ledger: &Ledger, as_json: bool, now: u64) -> Result<String> {
    let users = ledger.users.iter();
    if as_json {
        let users = users.map(|(id, user)| {
            (
                id.to_owned(),
                serde_json::to_value(user).unwrap_or_default(),
            )
        });
        let users: serde_json::Map<_, _> = users.collect();
        return Ok(format!("{}\n", serde_json::to_string_pretty(&users)?));
    }
    let lines =
        users.map(|(id, user)| format!("{id:24} {:11} {}\n", user.role, standing(user, now)));
    Ok(lines.collect())
}

fn standing(user: &User, now: u64) -> String {
    match (user.revoked, user.signed_until) {
        (Some(revoked), _) => format!("revoked since {}", moment(revoked)),
        (None, None) => "never signed for here".to_owned(),
        (None, Some(until)) if until <= now => format!("last signature ended {}", moment(until)),
        (None, Some(until)) => format!("last signature good until {}", moment(until)),
    }
}

/// A moment as people write it.
pub(super) fn moment(unix: u64) -> String {
    let second = i64::try_from(unix).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(second).map_or_else(|_| unix.to_string(), |time| time.to_string())
}

fn print(text: &str) -> Result<()> {
    output::print(text)?;
    Ok(())
}
