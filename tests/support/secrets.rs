//! Looks through everything that a program of ours wrote for secrets: those that stand in the files
//! beside it, and whatever has the form of a signature, a userSig or a token.

use std::collections::BTreeSet;
use std::path::Path;

/// Keys of configurations and key files whose values nobody else may see.
const KEYS: &[&str] = &[
    "user_sig", "push_key", "play_key", "key", "hook_key", "api_key", "password", "token",
];
/// Parameters of URLs and answers that carry secrets.
const CARRIERS: &[&str] = &[
    "txSecret", "userSig", "usersig", "UserSig", "token", "a2", "A2Key",
];
/// Shortest secret in bytes that is looked for: shorter ones are words.
const SHORTEST: usize = 12;

/// Fails if `text`, which `name` wrote, has a secret of the files in `folder` or of any form.
pub(crate) fn none_in(name: &str, text: &str, folder: &Path) {
    for secret in of_folder(folder) {
        assert!(
            !text.contains(&secret),
            "{name} wrote {secret:?}: {}",
            around(text, &secret)
        );
    }
    if let Some(found) = of_any_form(text) {
        panic!("{name} wrote {found:?}: {}", around(text, &found));
    }
}

fn around(text: &str, found: &str) -> String {
    let lines = text.lines().filter(|line| line.contains(found));
    lines.take(1).collect()
}

/// The secrets in the files of a folder.
fn of_folder(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter(|file| {
            let path = file.path();
            let kind = path.extension().and_then(|kind| kind.to_str());
            matches!(kind, Some("toml" | "pem" | "key" | "json"))
        })
        .filter_map(|file| std::fs::read_to_string(file.path()).ok())
        .flat_map(|text| of_text(&text))
        .collect()
}

fn of_text(text: &str) -> Vec<String> {
    let private = text.contains("PRIVATE KEY");
    let lines = text.lines().map(str::trim);
    lines
        .filter_map(|line| match line.split_once('=') {
            // A line of base64 may end in this too.
            Some((key, value)) if !private => {
                let named = key.trim().rsplit('.').next().unwrap_or_default();
                KEYS.contains(&named)
                    .then(|| value.trim().trim_matches('"'))
            }
            _ if private && !line.starts_with('-') => Some(line),
            _ => None,
        })
        .filter(|value| value.len() >= SHORTEST && !value.starts_with('/'))
        .map(str::to_owned)
        .collect()
}

fn is_of_a_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '*' | '-' | '_' | '+' | '%')
}

/// The first thing in a text that looks like a secret.
fn of_any_form(text: &str) -> Option<String> {
    let carried = CARRIERS.iter().flat_map(|carrier| {
        text.match_indices(carrier).filter_map(|(at, _)| {
            let rest = &text[at + carrier.len()..];
            let rest = rest.trim_start_matches(['"', '\\']);
            let value = rest.strip_prefix('=').or_else(|| rest.strip_prefix(':'))?;
            let value = value.trim_start_matches(['"', '\\', ' ']);
            let end = value.find(|c| !is_of_a_token(c)).unwrap_or(value.len());
            let has_digit = value[..end].contains(|c: char| c.is_ascii_digit());
            (end >= SHORTEST && has_digit).then(|| value[..end].to_owned())
        })
    });
    // zlib in base64, which every userSig is.
    let signatures = text.split(|c| !is_of_a_token(c)).filter_map(|word| {
        let is_sig = word.len() > 60 && (word.starts_with("eJ") || word.starts_with("eN"));
        is_sig.then(|| word.to_owned())
    });
    carried.chain(signatures).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_and_other_texts_are_not() {
        for secret in [
            "rtmp://h/live/s?txSecret=0123456789abcdef&txTime=1",
            r#"{"token":"a1b2c3d4e5f6a7"}"#,
            r#"{\"userSig\":\"eJx1abcdefghijk\"}"#,
            &format!("login eJ{}", "x1".repeat(40)),
        ] {
            assert!(of_any_form(secret).is_some(), "{secret}");
        }
        for harmless in [
            "rtmp://h/live/s?[redacted]",
            "token: no such key, a token is needed",
            "userSig=(hidden)",
            "the userSig ends at 2026-12-01T00:00:00Z",
        ] {
            assert_eq!(of_any_form(harmless), None, "{harmless}");
        }
        let config =
            "[relay]\nurls.push_key = \"a-key-of-the-relay\"\nkey_file = \"/etc/a/long/path\"";
        assert_eq!(of_text(config), ["a-key-of-the-relay"]);
        let pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----";
        assert_eq!(of_text(pem), ["MIGHAgEAMBMGByqGSM49"]);
    }
}
