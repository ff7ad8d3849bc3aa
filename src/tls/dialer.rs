//! The one way in which this program connects to anybody: directly, or through the proxy.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connect_error::{ConnectError, bare};
use super::dial::{Addresses, Direct};
use super::passage;
use super::proxy_fault::{ProxyFault, ProxyRefusal};
use crate::config::proxy::{ProxyLogin, ProxyRules};

/// Time for a proxy that has been reached, in which it looks up the server and connects to it.
const PASSAGE: Duration = Duration::from_secs(10);
/// Longest file that is read as a login, in bytes.
const LOGIN_FILE: u64 = 4096;

/// Connects to hosts, and remembers which of their addresses answer. Cheap to clone; clones share
/// what they remember.
#[derive(Debug, Clone, Default)]
pub struct Dialer(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    direct: Direct,
    proxy: Option<ProxyRules>,
}

impl Dialer {
    /// Connects through a proxy where its rules say so; `None`: nowhere.
    #[must_use]
    pub fn new(proxy: Option<ProxyRules>) -> Self {
        let direct = Direct::default();
        Self(Arc::new(Inner { direct, proxy }))
    }

    /// The proxy for this host, if one is in between.
    #[must_use]
    pub fn proxy_for(&self, host: &str) -> Option<&ProxyRules> {
        let proxy = self.0.proxy.as_ref();
        proxy.filter(|rules| !rules.is_direct(host))
    }

    /// The addresses of a host.
    ///
    /// # Errors
    /// A name that has none, or no answer within 5 s.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Addresses, ConnectError> {
        self.0.direct.addresses(host, port).await
    }

    /// Connects to the first of these addresses of `host` that answers.
    ///
    /// # Errors
    /// All refused, or none answered within 5 s.
    pub async fn reach(
        &self,
        host: &str,
        addresses: &[SocketAddr],
    ) -> Result<TcpStream, ConnectError> {
        self.0.direct.reach(host, addresses).await
    }

    /// Connects, or gives up within 10 s, through a proxy within 20 s.
    ///
    /// # Errors
    /// The hop that failed, with the reason.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        match self.proxy_for(host) {
            None => {
                let addresses = self.addresses(host, port).await?;
                self.reach(host, &addresses.all).await
            }
            Some(rules) => {
                let proxy = self.reach_proxy(rules).await?;
                self.pass(rules, proxy, host, port).await
            }
        }
    }

    /// Connects to the proxy itself.
    ///
    /// # Errors
    /// The proxy with the reason.
    pub async fn reach_proxy(&self, rules: &ProxyRules) -> Result<TcpStream, ConnectError> {
        let (host, port) = (rules.proxy.host.as_str(), rules.proxy.port);
        let reached = async {
            let addresses = self.addresses(host, port).await?;
            self.reach(host, &addresses.all).await
        };
        let unreached = |error: ConnectError| {
            let refusal = ProxyRefusal::Unreached(error.to_string());
            fault(rules, refusal)
        };
        reached.await.map_err(unreached)
    }

    /// Passes through a proxy that has been reached.
    ///
    /// # Errors
    /// The refusal of the proxy, or no answer from it.
    pub async fn pass(
        &self,
        rules: &ProxyRules,
        proxy: TcpStream,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, ConnectError> {
        let pass = async {
            let login = match &rules.login_file {
                Some(path) => Some(login_in(path).await?),
                None => rules.proxy.login.clone(),
            };
            passage::through(&rules.proxy, proxy, bare(host), port, login.as_ref()).await
        };
        let passed = timeout(PASSAGE, pass).await;
        passed
            .unwrap_or(Err(ProxyRefusal::Silent(PASSAGE)))
            .map_err(|refusal| fault(rules, refusal))
    }
}

fn fault(rules: &ProxyRules, refusal: ProxyRefusal) -> ConnectError {
    ConnectError::Proxy(Box::new(ProxyFault {
        proxy: rules.proxy.to_string(),
        refusal,
    }))
}

async fn login_in(path: &Path) -> Result<ProxyLogin, ProxyRefusal> {
    let wrong = |reason: String| ProxyRefusal::LoginFile {
        path: path.to_owned(),
        reason,
    };
    let read = async {
        let mut text = String::new();
        let file = tokio::fs::File::open(path).await?;
        file.take(LOGIN_FILE).read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    let text = read.await.map_err(|error| wrong(error.to_string()))?;
    ProxyLogin::parse(&text).ok_or_else(|| wrong("it must hold one line, user:password".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::proxy::{Exception, Proxy};
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    fn rules(proxy: &str) -> ProxyRules {
        ProxyRules {
            proxy: Proxy::parse(proxy).expect(proxy),
            login_file: None,
            exceptions: vec![Exception::parse("direct.example").expect("a domain")],
        }
    }

    /// A server at which every connection is answered so, whatever it says: no proxy would be
    /// made to say all this.
    async fn answering(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(answer).await;
                if answer.is_empty() {
                    continue;
                }
                let _ = stream.read(&mut [0; 1024]).await;
            }
        });
        port
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_is_named_without_its_login() {
        let cases: [(&str, &'static [u8], &str); 7] = [
            (
                "http",
                b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\n\r\n",
                "does not take this user",
            ),
            (
                "http",
                b"HTTP/1.1 403 No\r\n\r\n",
                "does not let us through to far.example:1 (403",
            ),
            ("http", b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP"),
            ("http", b"", "does not speak HTTP"),
            (
                "http",
                b"HTTP/1.1 200 Yes\r\n\r\nHELLO",
                "more than an answer",
            ),
            (
                "socks5h",
                b"\x05\xff",
                "does not take this user and password (",
            ),
            (
                "socks5h",
                b"HTTP/1.1 400 No\r\n\r\n",
                "does not speak SOCKS 5",
            ),
        ];
        for (scheme, answer, words) in cases {
            let port = answering(answer).await;
            let dialer = Dialer::new(Some(rules(&format!(
                "{scheme}://me:secret@127.0.0.1:{port}"
            ))));
            let error = dialer.connect("far.example", 1).await.unwrap_err();
            let text = error.to_string();
            assert!(text.contains(words), "{text}");
            assert!(
                text.starts_with(&format!("the proxy {scheme}://127.0.0.1:{port} ")),
                "{text}"
            );
            assert!(
                !format!("{error:?} {text} {dialer:?}").contains("secret"),
                "{error:?}"
            );
        }
    }

    #[tokio::test]
    async fn hosts_of_exceptions_never_come_to_the_proxy() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let dialer = Dialer::new(Some(rules(&format!("http://127.0.0.1:{port}"))));
        let error = dialer
            .connect("far.example", 1)
            .await
            .unwrap_err()
            .to_string();
        let wanted = format!("the proxy http://127.0.0.1:{port} cannot be reached: cannot connect");
        assert!(error.starts_with(&wanted), "{error}");
        assert!(dialer.proxy_for("a.direct.example").is_none());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        dialer.connect("127.0.0.1", port).await.unwrap();
    }

    #[tokio::test]
    async fn a_login_file_is_read_for_each_connection() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login");
        let port = answering(b"HTTP/1.1 407 No\r\n\r\n").await;
        let dialer = Dialer::new(Some(ProxyRules {
            login_file: Some(path.clone()),
            ..rules(&format!("http://127.0.0.1:{port}"))
        }));
        for (text, words) in [
            (None, "No such file"),
            (Some("no colon"), "it must hold one line, user:password"),
            (Some("me:secret\n"), "does not take this user and password"),
        ] {
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            let error = dialer
                .connect("far.example", 1)
                .await
                .unwrap_err()
                .to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
