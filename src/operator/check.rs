//! `rtcroomd check`: whether the server would start, and what an operator should mend before it matters.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::ledger::unix_now;
use super::user::moment;
use super::verdict::{Finding, Verdict};
use crate::config::ServerConfig;
use crate::config::server::{Keys, Relay, UserRole};
use crate::process::output;
use crate::server::Settings;
use crate::server::users::Users;
use crate::tls::{CertificateFacts, SOON_DAYS, ServerTls};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    #[arg(long)]
    json: bool,
}

/// Users that are named one by one.
const MOST_NAMED: usize = 20;

/// Prints all findings; the exit code is 0 unless one is a failure.
pub(super) fn run(arguments: &CheckArguments, path: &Path) -> Result<ExitCode> {
    let findings = findings(path, unix_now());
    let ok = findings
        .iter()
        .all(|finding| finding.verdict < Verdict::Failure);
    let text = if arguments.json {
        format!(
            "{}\n",
            serde_json::to_string_pretty(&json!({ "ok": ok, "findings": findings }))?
        )
    } else {
        findings
            .iter()
            .map(|finding| format!("{finding}\n"))
            .collect()
    };
    output::print(&text)?;
    Ok(if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn findings(path: &Path, now: u64) -> Vec<Finding> {
    let name = path.display().to_string();
    let wrong = |says: String| vec![Finding::new("configuration", Verdict::Failure, says)];
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return wrong(format!("cannot read {name}: {error}")),
    };
    let config = match ServerConfig::parse(&name, &text) {
        Ok(config) => config,
        Err(errors) => return wrong(errors.to_string()),
    };
    let mut found = vec![Finding::new("configuration", Verdict::Ok, name)];
    let access = format!("{}, see docs/security.md", config.access);
    found.push(Finding::new("access", Verdict::Ok, access));
    let warnings = config.warnings().into_iter();
    found.extend(warnings.map(|says| Finding::new("configuration", Verdict::Warning, says)));
    found.extend(readable_by_others(path, &config));
    found.push(keys(&config));
    found.extend(ports(&config));
    found.extend(certificate(&config, now));
    found.extend(users(&config, now));
    found
}

/// Logs which files with secrets others can read.
pub fn warn_about_secrets(path: &Path, config: &ServerConfig) {
    for finding in readable_by_others(path, config) {
        log::warn!("{}", finding.says);
    }
}

/// The files with secrets that others can read, but for the certificate's key, of which its reader warns.
fn readable_by_others(path: &Path, config: &ServerConfig) -> Vec<Finding> {
    let mut files = Settings::kept_keys(config);
    if let Keys::Private(path) = &config.auth.keys {
        files.push(path.clone());
    }
    files.extend(Settings::users_file(config));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let secrets = ["push_key", "play_key", "api_key", "hook_key"];
    if secrets.iter().any(|key| text.contains(key)) {
        files.push(path.to_owned());
    }
    files
        .iter()
        .filter_map(|file| mode("secrets", file))
        .collect()
}

/// Warns where others may read a file that holds secrets.
fn mode(what: &str, path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.mode() & 0o777;
    (mode & 0o027 != 0).then(|| {
        let says = format!(
            "{} has mode {mode:03o}: others can read its secrets; make it 600 or 640",
            path.display()
        );
        Finding::new(what, Verdict::Warning, says)
    })
}

fn keys(config: &ServerConfig) -> Finding {
    let files = Settings::kept_keys(config);
    if config.auth.keys == Keys::Generated && !files.iter().any(|path| path.exists()) {
        return Finding::new("keys", Verdict::Ok, "made at the first start");
    }
    match Settings::signing_key(config) {
        Ok(Some(_)) => Finding::new(
            "keys",
            Verdict::Ok,
            "this server signs and verifies userSigs",
        ),
        Ok(None) => Finding::new("keys", Verdict::Ok, "this server verifies what others sign"),
        Err(error) => Finding::new("keys", Verdict::Failure, error.to_string()),
    }
}

fn ports(config: &ServerConfig) -> Vec<Finding> {
    let mut addresses = vec![("http.listen", config.http.listen)];
    if let Relay::Embedded(relay) = &config.relay {
        addresses.push(("relay.embedded.listen", relay.listen));
        addresses.extend(
            relay
                .plain_listen
                .map(|addr| ("relay.embedded.plain_listen", addr)),
        );
    }
    addresses
        .into_iter()
        .map(|(key, addr)| port(key, addr))
        .collect()
}

fn port(key: &str, addr: SocketAddr) -> Finding {
    match TcpListener::bind(addr) {
        Ok(_) => Finding::new(key, Verdict::Ok, format!("{addr} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Finding::new(
            key,
            Verdict::Warning,
            format!("{addr} is in use: by a running rtcroomd?"),
        ),
        Err(error) => Finding::new(key, Verdict::Failure, format!("{addr}: {error}")),
    }
}

fn certificate(config: &ServerConfig, now: u64) -> Vec<Finding> {
    let Some(tls) = &config.tls else {
        return Vec::new();
    };
    let mut found: Vec<_> = mode("certificate", &tls.key_file).into_iter().collect();
    if let Err(error) = ServerTls::load(&tls.certificate_file, &tls.key_file) {
        found.push(Finding::new(
            "certificate",
            Verdict::Failure,
            error.to_string(),
        ));
        return found;
    }
    let facts = match CertificateFacts::read(&tls.certificate_file) {
        Ok(facts) => facts,
        Err(error) => {
            found.push(Finding::new(
                "certificate",
                Verdict::Warning,
                error.to_string(),
            ));
            return found;
        }
    };
    found.push(ends("certificate", "it", (facts.ends, &facts.end), now));
    if let Relay::Embedded(relay) = &config.relay
        && let Some(host) = &relay.public_host
    {
        let bare = host
            .rsplit_once(':')
            .map_or(host.as_str(), |(bare, _)| bare);
        let covers = facts.covers(host) || facts.covers(bare);
        if !covers {
            let says = format!(
                "it is for {}, not for relay.embedded.public_host = \"{host}\"",
                facts.names.join(", ")
            );
            found.push(Finding::new("certificate", Verdict::Failure, says));
        }
    }
    found
}

fn ends(what: &str, who: &str, (until, words): (u64, &str), now: u64) -> Finding {
    if until <= now {
        Finding::new(what, Verdict::Failure, format!("{who} ended at {words}"))
    } else if until - now < SOON_DAYS * 86_400 {
        Finding::new(
            what,
            Verdict::Warning,
            format!("{who} ends soon, at {words}"),
        )
    } else {
        Finding::new(what, Verdict::Ok, format!("{who} is good until {words}"))
    }
}

fn users(config: &ServerConfig, now: u64) -> Vec<Finding> {
    let Some(path) = Settings::users_file(config) else {
        return Vec::new();
    };
    let users = match Users::load(&path) {
        Ok(users) => users,
        Err(error) => return vec![Finding::new("users", Verdict::Failure, error.to_string())],
    };
    let welcome: Vec<_> = users
        .iter()
        .filter(|(_, user)| user.revoked.is_none())
        .collect();
    let count = |role| welcome.iter().filter(|(_, user)| user.role == role).count();
    let says = format!(
        "{} kiosks, {} agents, {} supervisors, {} plain, {} revoked",
        count(UserRole::Kiosk),
        count(UserRole::Agent),
        count(UserRole::Supervisor),
        count(UserRole::Plain),
        users.iter().count() - welcome.len(),
    );
    let mut found = vec![Finding::new("users", Verdict::Ok, says)];
    // A kiosk renews its own before that; who does not come for so long is told here.
    let ending = welcome.iter().filter_map(|(id, user)| {
        let until = user.signed_until?;
        let soon = until <= now + SOON_DAYS * 86_400 / 2;
        soon.then(|| {
            let says = format!(
                "the last userSig signed for {id} by command ends {}",
                moment(until)
            );
            Finding::new("users", Verdict::Warning, says)
        })
    });
    found.extend(ending.take(MOST_NAMED));
    found
}
