//! Reasons for which a proxy does not help, in words that say what to do about them.

use std::path::PathBuf;
use std::time::Duration;

/// A proxy that does not help, without its login.
#[derive(Debug, thiserror::Error)]
#[error("the proxy {proxy} {refusal}")]
pub struct ProxyFault {
    /// `http://proxy.example.com:3128`
    pub proxy: String,
    pub refusal: ProxyRefusal,
}

/// The hop that failed, and the reason.
#[derive(Debug, thiserror::Error)]
pub enum ProxyRefusal {
    #[error("cannot be reached: {0} (network.proxy)")]
    Unreached(String),
    #[error("gave no answer within {0:?}: is it a proxy? (network.proxy)")]
    Silent(Duration),
    #[error("does not speak {language}: {reason} (network.proxy)")]
    NotAProxy {
        language: &'static str,
        reason: String,
    },
    #[error(
        "wants a user and a password{}: give them in network.proxy or network.proxy_login_file",
        schemes(.0)
    )]
    NoLogin(String),
    #[error(
        "does not take this user and password{} (network.proxy or network.proxy_login_file)",
        schemes(.0)
    )]
    WrongLogin(String),
    #[error("needs network.proxy_login_file = \"{}\": {reason}", path.display())]
    LoginFile { path: PathBuf, reason: String },
    #[error(
        "does not let us through to {to} ({said}): its rules must allow that, or network.no_proxy \
         must name the host"
    )]
    Forbidden { to: String, said: String },
    #[error("was reached, but cannot connect to {to} ({said})")]
    Beyond { to: String, said: String },
}

/// The ways to log in that a proxy offers, where they are known.
fn schemes(offered: &str) -> String {
    match offered {
        "" => String::new(),
        offered => format!(" (it offers {offered}; Basic is known here)"),
    }
}

impl ProxyRefusal {
    /// Whether the way may be free again soon; the rest is for people to mend.
    #[must_use]
    pub fn is_of_the_path(&self) -> bool {
        matches!(
            self,
            Self::Unreached(_) | Self::Silent(_) | Self::Beyond { .. }
        )
    }
}
