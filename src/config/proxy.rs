//! Proxies: how to reach one, and which hosts are reached without it. Pure; the environment's
//! words are read by the same rules as the configuration's.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::{Host, Url};

/// The language of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// HTTP with CONNECT (RFC 9110, section 9.3.6).
    Http,
    /// SOCKS 5 (RFC 1928); names are resolved by the proxy.
    Socks,
}

/// A user at a proxy.
#[derive(Debug, Clone)]
pub struct ProxyLogin {
    pub user: SecretString,
    pub password: SecretString,
}

impl ProxyLogin {
    /// Reads `user:password`, as a file has it: the first colon ends the user's name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (user, password) = text.trim_end_matches(['\r', '\n']).split_once(':')?;
        let fits = |text: &str, least| {
            (least..=LOGIN).contains(&text.len()) && !text.contains(char::is_control)
        };
        (fits(user, 1) && fits(password, 0)).then(|| Self {
            user: user.into(),
            password: password.into(),
        })
    }
}

/// Maximum length of a user's name and of a password, in bytes: that of SOCKS (RFC 1929).
const LOGIN: usize = 255;

/// A proxy. Displayed without its login.
#[derive(Debug, Clone)]
pub struct Proxy {
    pub kind: ProxyKind,
    /// A name or an address, one of IPv6 without brackets.
    pub host: String,
    pub port: u16,
    pub login: Option<ProxyLogin>,
}

/// The form of a proxy's address.
#[cfg(feature = "kiosk")]
pub(super) const PROXY_ALLOWED: &str = "\"none\", \"environment\", or the address of a proxy such \
     as \"http://proxy.example.com:3128\" or \"socks5h://proxy.example.com:1080\", with or without \
     user:password@ (% and two hex digits for other characters than letters and digits)";

impl Proxy {
    /// Reads `http://[user:password@]host[:port]`, or the same with `socks5h`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let (kind, usual) = match url.scheme() {
            // The usual ports, as in curl.
            "http" => (ProxyKind::Http, 80),
            "socks5h" => (ProxyKind::Socks, 1080),
            _ => return None,
        };
        let bare = matches!(url.path(), "" | "/") && url.query().is_none();
        if !bare || url.fragment().is_some() {
            return None;
        }
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let password = decoded(password.unwrap_or_default())?;
                Some(ProxyLogin::parse(&format!(
                    "{}:{password}",
                    decoded(user)?
                ))?)
            }
        };
        (!host.is_empty()).then(|| Self {
            kind,
            host,
            port: url.port().unwrap_or(usual),
            login,
        })
    }
}

/// Replaces `%41` by `A`.
fn decoded(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Socks => "socks5h",
        };
        let Self { host, port, .. } = self;
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

/// Hosts that are reached without the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exception {
    /// A name and all that end in it after a dot.
    Domain(String),
    /// Addresses, as far as the host is written as one.
    Network(IpNet),
    All,
}

impl Exception {
    /// Reads `example.com`, `.example.com`, `*.example.com`, `10.0.0.0/8`, `10.1.2.3` or `*`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "*" {
            return Some(Self::All);
        }
        if let Ok(network) = text.parse() {
            return Some(Self::Network(network));
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Some(Self::Network(address.into()));
        }
        let name = text.strip_prefix('*').unwrap_or(text);
        let name = name.strip_prefix('.').unwrap_or(name);
        match Host::parse(name).ok()? {
            Host::Domain(name) if !name.contains('*') => Some(Self::Domain(name)),
            _ => None,
        }
    }

    fn covers(&self, host: &str) -> bool {
        let address = host.parse::<IpAddr>();
        match self {
            Self::All => true,
            Self::Network(network) => address.is_ok_and(|address| network.contains(&address)),
            Self::Domain(domain) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let before = host.strip_suffix(domain.as_str());
                before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }
        }
    }
}

/// A proxy and the use of it.
#[derive(Debug, Clone)]
pub struct ProxyRules {
    pub proxy: Proxy,
    /// A file with `user:password`, read for each connection, so that it can be renewed; in place
    /// of the proxy's own login.
    pub login_file: Option<PathBuf>,
    pub exceptions: Vec<Exception>,
}

impl ProxyRules {
    /// Whether a host is reached without the proxy. This machine always is.
    #[must_use]
    pub fn is_direct(&self, host: &str) -> bool {
        is_direct(host, &self.exceptions)
    }
}

fn is_direct(host: &str, exceptions: &[Exception]) -> bool {
    let host = host.trim_matches(['[', ']']);
    let local = host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    local || exceptions.iter().any(|exception| exception.covers(host))
}

/// The proxy and the exceptions that the environment names.
#[derive(Debug, Clone, Default)]
pub struct EnvironmentProxy {
    pub proxy: Option<Proxy>,
    pub exceptions: Vec<Exception>,
}

impl EnvironmentProxy {
    /// Reads `HTTPS_PROXY`, else `ALL_PROXY`, and `NO_PROXY`, each of them in small letters too,
    /// as `variable` gives them.
    ///
    /// # Errors
    /// A proxy that cannot be used: the variable's name and what it should be. Of exceptions the
    /// ones that cannot be read are left out, as all programs do.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let given = |name: &'static str| {
            let value = variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
            value
                .filter(|value| !value.is_empty())
                .map(|value| (name, value))
        };
        let proxy = match given("HTTPS_PROXY").or_else(|| given("ALL_PROXY")) {
            None => None,
            Some((name, value)) => {
                // Without a scheme it is a proxy of HTTP for all programs.
                let whole = match value.contains("://") {
                    true => value,
                    false => format!("http://{value}"),
                };
                let proxy = Proxy::parse(&whole).ok_or_else(|| {
                    format!(
                        "the environment's {name} is not a proxy that can be used: it must be \
                         such as http://proxy.example.com:3128 or socks5h://proxy.example.com:1080"
                    )
                })?;
                Some(proxy)
            }
        };
        let exceptions = given("NO_PROXY")
            .map(|(_, value)| value)
            .unwrap_or_default();
        let exceptions = exceptions.split(',').filter_map(Exception::parse);
        Ok(Self {
            proxy,
            exceptions: exceptions.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn proxies_are_read_and_shown_without_their_login() {
        for (text, shown, login) in [
            ("http://p:3128", "http://p:3128", None),
            ("http://p", "http://p:80", None),
            ("socks5h://10.0.0.1/", "socks5h://10.0.0.1:1080", None),
            ("http://[fd00::1]:8080", "http://[fd00::1]:8080", None),
            ("http://a:b@p:1", "http://p:1", Some(("a", "b"))),
            (
                "socks5h://a%40c:b%3a%2B+@p:1",
                "socks5h://p:1",
                Some(("a@c", "b:++")),
            ),
            ("http://a@p:1", "http://p:1", Some(("a", ""))),
        ] {
            let proxy = Proxy::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(proxy.to_string(), shown);
            let of = |login: &ProxyLogin| {
                let parts = [&login.user, &login.password];
                parts.map(|part| part.expose_secret().to_owned())
            };
            let login = login.map(|(user, password)| [user.to_owned(), password.to_owned()]);
            assert_eq!(proxy.login.as_ref().map(of), login, "{text}");
            assert!(!format!("{proxy:?}").contains("b:++"));
        }
        for wrong in [
            "p:3128",
            "https://p:3128",
            "socks5://p:1080",
            "http://",
            "http://p/path",
            "http://p?x",
            "http://:b@p",
            "http://a:%00@p",
            "http://a:%ff@p",
        ] {
            assert!(Proxy::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn exceptions_cover_domains_networks_and_this_machine() {
        let exceptions: Vec<_> = [
            "Bank.example",
            "*.inner.example",
            "10.0.0.0/8",
            "fd00::1",
            "::2",
        ]
        .into_iter()
        .map(|text| Exception::parse(text).expect(text))
        .collect();
        for (host, direct) in [
            ("bank.example", true),
            ("rooms.BANK.example.", true),
            ("notbank.example", false),
            ("a.inner.example", true),
            ("10.9.8.7", true),
            ("11.9.8.7", false),
            ("[fd00::1]", true),
            ("fd00::2", false),
            ("localhost", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("a.localhost", true),
            ("example", false),
        ] {
            assert_eq!(is_direct(host, &exceptions), direct, "{host}");
        }
        assert!(is_direct("anything", &[Exception::All]));
        for wrong in ["", "a b", "*x*", "10.0.0.0/99", "."] {
            assert_eq!(Exception::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_environment_is_read_as_other_programs_do() {
        let read = |set: &[(&str, &str)]| {
            EnvironmentProxy::read(|name| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let shown = |set: &[(&str, &str)]| read(set).map(|it| it.proxy.map(|it| it.to_string()));
        assert_eq!(shown(&[]), Ok(None));
        assert_eq!(shown(&[("HTTPS_PROXY", "")]), Ok(None));
        let both = [
            ("all_proxy", "socks5h://s:1"),
            ("https_proxy", "u:p@h:3128"),
        ];
        assert_eq!(shown(&both), Ok(Some("http://h:3128".to_owned())));
        assert_eq!(shown(&both[..1]), Ok(Some("socks5h://s:1".to_owned())));
        let wrong = shown(&[("HTTPS_PROXY", "https://u:secret@h")]).expect_err("wrong");
        assert!(
            wrong.contains("HTTPS_PROXY") && !wrong.contains("secret"),
            "{wrong}"
        );
        let exceptions = read(&[("NO_PROXY", "a.example, 10.0.0.0/8,,")]).expect("read");
        assert_eq!(exceptions.exceptions.len(), 2);
    }
}
