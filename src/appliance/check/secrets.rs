//! The kiosk's own identity: until when it is good, and whether others can read what proves it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::ExposeSecret;

use super::verdict::Check;
use crate::config::KioskConfig;
use crate::config::kiosk::{Credentials, ProxyChoice};
use crate::protocol::user_sig;

/// Days before its end from which on a userSig is warned about.
const SOON_DAYS: u64 = 30;

/// Longest file that is read as a userSig.
const MAX_FILE: u64 = 16 * 1024;

/// Files with secrets that other users of the board can read, one line each.
pub(in crate::appliance) fn readable_by_others(file: &Path, config: &KioskConfig) -> Vec<String> {
    let mut files: Vec<PathBuf> = match &config.room.credentials {
        Credentials::Given(_) => vec![file.to_owned()],
        Credentials::SigFile { path, .. } | Credentials::Key { path, .. } => vec![path.clone()],
        Credentials::GetLoginInfo { .. } => Vec::new(),
    };
    let login = matches!(&config.network.proxy, ProxyChoice::At(proxy) if proxy.login.is_some());
    if login && !files.iter().any(|listed| listed == file) {
        files.push(file.to_owned());
    }
    files.extend(config.network.login_file.clone());
    let mode = |path: &PathBuf| {
        let mode = std::fs::metadata(path).ok()?.mode() & 0o777;
        (mode & 0o027 != 0).then(|| {
            let path = path.display();
            format!("{path} has mode {mode:03o}: others can read its secrets; make it 600 or 640")
        })
    };
    files.iter().filter_map(mode).collect()
}

/// The check of the userSig that the configuration gives, or that was renewed since.
pub(super) fn check(config: &KioskConfig) -> Option<Check> {
    let given = match &config.room.credentials {
        Credentials::Given(credentials) => Some(credentials.user_sig.expose_secret().to_owned()),
        Credentials::SigFile { path, .. } => read(path),
        Credentials::GetLoginInfo { .. } | Credentials::Key { .. } => return None,
    };
    let renewed = read(&config.state_dir.join("user_sig"));
    let ends = [given, renewed].into_iter().flatten().filter_map(|sig| {
        let claims = user_sig::peek(&sig).ok()?;
        Some(claims.time.saturating_add(claims.expire_after))
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Some(judge(ends.max(), now.map_or(0, |now| now.as_secs())))
}

fn read(path: &Path) -> Option<String> {
    let short = std::fs::metadata(path).ok()?.len() <= MAX_FILE;
    short
        .then(|| std::fs::read_to_string(path).ok())
        .flatten()
        .map(|text| text.trim().to_owned())
}

fn judge(end: Option<u64>, now: u64) -> Check {
    const NAME: &str = "identity";
    let Some(end) = end else {
        return Check::failure(NAME, "the userSig cannot be read");
    };
    let words = i64::try_from(end)
        .ok()
        .and_then(|end| jiff::Timestamp::from_second(end).ok());
    let words = words.map_or_else(|| end.to_string(), |time| time.to_string());
    if end <= now {
        Check::failure(
            NAME,
            format!("the userSig ended at {words}: rtcroomd user sign makes another"),
        )
    } else if end - now < SOON_DAYS * 86_400 {
        let says = format!(
            "the userSig ends at {words}; it is renewed before, where the room server does that"
        );
        Check::warning(NAME, says)
    } else {
        Check::ok(NAME, format!("the userSig is good until {words}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::check::verdict::Verdict;

    #[test]
    fn an_identity_is_judged_by_its_end() {
        let verdict = |end| judge(end, 1_000_000_000).verdict;
        assert_eq!(verdict(None), Verdict::Failure);
        assert_eq!(verdict(Some(1_000_000_000)), Verdict::Failure);
        assert_eq!(verdict(Some(1_000_000_000 + 29 * 86_400)), Verdict::Warning);
        assert_eq!(verdict(Some(1_000_000_000 + 31 * 86_400)), Verdict::Ok);
    }
}
