//! Opens the way to the relay of a stream's URL, and finds out why a plain one fails.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::socket::Socket;
use super::tunnel::Tunnel;
use crate::media::loss::{Loss, LossCause};
use crate::media::relay_url;
use crate::tls::{ClientTls, ConnectError, Dialer, describe};

/// Time for the question whether a relay speaks TLS: our choice.
const ASK: Duration = Duration::from_secs(3);

/// An open way to a relay; dropping it closes a tunnel.
#[derive(Debug)]
pub(crate) struct RelayLink {
    location: SecretString,
    /// Port of the relay.
    port: Option<u16>,
    tunnel: Option<Tunnel>,
}

impl RelayLink {
    /// Opens the way; for `rtmps://` that makes the TLS session with the relay.
    pub(crate) async fn open(url: &str, tls: &ClientTls) -> Result<Self, Loss> {
        let Some(parts) = Parts::of(url) else {
            return Ok(Self::straight(url));
        };
        let (host, port) = (parts.host, parts.port());
        let tunnel = if parts.tls {
            let far = tls.connect(host, port).await?;
            let session = describe(far.get_ref().1);
            log::debug!(host, session; "TLS with the relay");
            let socket = Socket::of(far.get_ref().0);
            let meant = format!("rtmps://{}", parts.address);
            Tunnel::open(far, meant, socket, session).await
        } else {
            warn_if_seen(host);
            let Some(far) = plain(host, port, tls.dialer()).await? else {
                return Ok(Self::straight(url));
            };
            let socket = Socket::of(&far);
            let meant = format!("rtmp://{}", parts.address);
            Tunnel::open(far, meant, socket, String::new()).await
        };
        let tunnel = tunnel.map_err(|error| Loss {
            cause: LossCause::Unreachable,
            message: format!("no tunnel can be opened on this machine: {error}"),
        })?;
        Ok(Self {
            location: parts.through(tunnel.port).into(),
            port: Some(port),
            tunnel: Some(tunnel),
        })
    }

    /// A way that GStreamer's element finds by itself.
    fn straight(url: &str) -> Self {
        Self {
            location: url.into(),
            port: relay_url::port(url),
            tunnel: None,
        }
    }

    /// The address for GStreamer's element.
    pub(crate) fn location(&self) -> &SecretString {
        &self.location
    }

    /// The socket to the relay, or to the proxy before it.
    pub(crate) fn socket(&self) -> Option<Socket> {
        let straight = self.port.map(|port| Socket { port, local: None });
        self.tunnel
            .as_ref()
            .map_or(straight, |tunnel| tunnel.socket)
    }

    /// Bytes among the `sent` ones of the element that no queue of the kernel's to the relay has
    /// yet.
    pub(crate) fn holds(&self, sent: u64) -> u64 {
        let forwarded = |tunnel: &Tunnel| tunnel.forwarded.load(Ordering::Relaxed);
        let forwarded = self.tunnel.as_ref().map(forwarded);
        forwarded.map_or(0, |forwarded| sent.saturating_sub(forwarded))
    }

    /// The TLS session with the relay; empty without TLS.
    pub(crate) fn session(&self) -> &str {
        self.tunnel.as_ref().map_or("", |tunnel| &tunnel.session)
    }
}

/// Connects to a relay that GStreamer's element would reach late or never: it knows neither our
/// proxy nor how to get past a dead address. `None`: the element may connect by itself.
async fn plain(host: &str, port: u16, dialer: &Dialer) -> Result<Option<TcpStream>, ConnectError> {
    if dialer.proxy_for(host).is_some() {
        return dialer.connect(host, port).await.map(Some);
    }
    let addresses = dialer.addresses(host, port).await?;
    match addresses.all.len() {
        // The element asks the name server again.
        1 if !addresses.old => Ok(None),
        _ => dialer.reach(host, &addresses.all).await.map(Some),
    }
}

/// Plain RTMP to another machine is the room server's choice; it is not a silent one.
pub(super) fn warn_if_seen(host: &str) {
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    if host != "localhost" && !ip.is_ok_and(|ip| ip.is_loopback()) {
        log::warn!(host; "plain RTMP: pictures and sound can be seen on the way");
    }
}

/// Asks whether a plain connection to `url` failed because the relay speaks TLS there.
pub(crate) async fn plain_to_tls(url: &str, tls: &ClientTls) -> Option<Loss> {
    let parts = Parts::of(url).filter(|parts| !parts.tls)?;
    let speaks = match timeout(ASK, tls.connect(parts.host, parts.port())).await {
        Ok(Ok(_)) => true,
        Ok(Err(ConnectError::Tls { fault, .. })) => fault.is_distrust(),
        Ok(Err(_)) | Err(_) => false,
    };
    speaks.then(|| Loss {
        cause: LossCause::Tls,
        message: "the relay speaks TLS at this port: its URL must start with rtmps://".to_owned(),
    })
}

impl From<ConnectError> for Loss {
    fn from(error: ConnectError) -> Self {
        let cause = match &error {
            ConnectError::Dns { .. } => LossCause::Dns,
            ConnectError::Unreachable { .. } => LossCause::Unreachable,
            ConnectError::Proxy(fault) if fault.refusal.is_of_the_path() => LossCause::Unreachable,
            ConnectError::Proxy(_) => LossCause::Proxy,
            ConnectError::Tls { fault, .. } if fault.is_distrust() => LossCause::Untrusted,
            ConnectError::Tls { .. } => LossCause::Tls,
        };
        Self {
            cause,
            message: error.to_string(),
        }
    }
}

/// A stream's URL as it is written: it may hold what a parser would change.
pub(super) struct Parts<'a> {
    pub(super) tls: bool,
    url: &'a str,
    /// User and password, with their `@`.
    login: &'a str,
    /// Host and port as written.
    address: &'a str,
    pub(super) host: &'a str,
    /// Path and query.
    rest: &'a str,
}

impl<'a> Parts<'a> {
    pub(super) fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, rest) = rest.split_at(rest.find('/')?);
        let address = authority.rsplit('@').next()?;
        let login = &authority[..authority.len() - address.len()];
        let host = match address.rsplit_once(':') {
            Some((host, _)) if !address.ends_with(']') => host,
            _ => address,
        };
        Some(Self {
            tls: scheme.eq_ignore_ascii_case("rtmps"),
            url,
            login,
            address,
            host,
            rest,
        })
    }

    pub(super) fn port(&self) -> u16 {
        relay_url::port(self.url).unwrap_or_default()
    }

    fn through(&self, port: u16) -> String {
        let Self { login, rest, .. } = self;
        format!("rtmp://{login}127.0.0.1:{port}{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_through_the_tunnel_and_keep_the_rest() {
        for (url, host, port, through) in [
            (
                "rtmps://h.example/live/s?txSecret=a%2f/b",
                "h.example",
                443,
                "rtmp://127.0.0.1:9/live/s?txSecret=a%2f/b",
            ),
            (
                "rtmps://u:p@[::1]:8443/a/b/c",
                "[::1]",
                8443,
                "rtmp://u:p@127.0.0.1:9/a/b/c",
            ),
            ("RTMPS://[::1]/l/s", "[::1]", 443, "rtmp://127.0.0.1:9/l/s"),
        ] {
            let parts = Parts::of(url).expect(url);
            assert!(parts.tls);
            assert_eq!((parts.host, parts.port()), (host, port), "{url}");
            assert_eq!(parts.through(9), through);
        }
        assert!(!Parts::of("rtmp://h/live/s").expect("parts").tls);
    }
}
