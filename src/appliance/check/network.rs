//! The part of the self-test that talks to the room server and the relay.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use url::Url;

use super::verdict::{Check, Verdict};
use crate::appliance::plan::Plan;
use crate::config::kiosk::Credentials;
use crate::config::proxy::ProxyRules;
use crate::room::RoomSession;
use crate::tls::{self, ClientTls, ConnectError};

/// For a connection to one address.
const ADDRESS_DEADLINE: Duration = Duration::from_secs(3);
/// Time after which the next address is tried (RFC 8305).
const SILENT: Duration = Duration::from_millis(250);
/// Port of RTMP, and of RTMPS and HTTPS, where a URL has none.
const RTMP_PORT: u16 = 1935;
const TLS_PORT: u16 = 443;
/// Days before its end in which a certificate should have been renewed.
const RENEWAL: u64 = 14;

const ROOM_TLS: &str = "room server TLS";
const ROOM: &str = "room server";
const RELAY: &str = "relay";
const PROXY: &str = "proxy";

/// Room server and relay: the way there hop by hop, a login, a push URL, and the way to where it
/// leads.
pub(super) async fn checks(plan: &Plan) -> Vec<Check> {
    let mut checks = Vec::new();
    let url = &plan.room_url;
    let Some(stream) = connect(ROOM, &plan.room_tls, url, &mut checks).await else {
        return checks;
    };
    if url.scheme() == "https" {
        let session = tls_session(ROOM_TLS, &plan.room_tls, stream, url).await;
        let failed = session.verdict == Verdict::Failure;
        checks.push(session);
        if failed {
            return checks;
        }
    }
    let push_url = match login(plan).await {
        Ok(push_url) => push_url,
        Err(reason) => {
            checks.push(Check::failure(ROOM, reason));
            return checks;
        }
    };
    checks.push(Check::ok(ROOM, format!("{url} accepts us")));
    let relay_tls = &plan.session.relay_tls;
    relay(push_url.expose_secret(), relay_tls, &mut checks).await;
    checks
}

/// Goes the way to a server hop by hop; adds what fails or is odd, and each hop of a proxy.
async fn connect(
    name: &'static str,
    tls: &ClientTls,
    url: &Url,
    checks: &mut Vec<Check>,
) -> Option<TcpStream> {
    let (host, port) = (url.host_str().unwrap_or_default(), port(url));
    let connected = match tls.dialer().proxy_for(host) {
        None => straight(name, tls, (host, port), checks).await,
        Some(rules) => through(rules, tls, (host, port), checks).await,
    };
    let failed = |error: ConnectError| checks.push(Check::failure(name, error.to_string()));
    connected.map_err(failed).ok()
}

/// Tries all addresses of a host, and warns of those that others lose time with.
async fn straight(
    name: &'static str,
    tls: &ClientTls,
    (host, port): (&str, u16),
    checks: &mut Vec<Check>,
) -> Result<TcpStream, ConnectError> {
    let dialer = tls.dialer();
    let addresses = dialer.addresses(host, port).await?.all;
    if addresses.len() > 1 {
        let each = addresses
            .iter()
            .map(|address| is_silent(tls, host, address));
        let silent: Vec<_> = join_all(each).await.into_iter().flatten().collect();
        if !silent.is_empty() && silent.len() < addresses.len() {
            let says = format!(
                "{host} has {} addresses, and of these {} give no answer: that costs time",
                addresses.len(),
                silent.join(", ")
            );
            checks.push(Check::warning(name, says));
        }
    }
    dialer.reach(host, &addresses).await
}

/// The address in words if it gives no answer; a refusal costs nobody time.
async fn is_silent(tls: &ClientTls, host: &str, address: &SocketAddr) -> Option<String> {
    let begun = Instant::now();
    let reached = tls.dialer().reach(host, std::slice::from_ref(address));
    let reached = timeout(ADDRESS_DEADLINE, reached).await;
    let silent = !matches!(reached, Ok(Ok(_))) && begun.elapsed() >= SILENT;
    silent.then(|| address.to_string())
}

/// Reaches the proxy, and then the server behind it.
async fn through(
    rules: &ProxyRules,
    tls: &ClientTls,
    (host, port): (&str, u16),
    checks: &mut Vec<Check>,
) -> Result<TcpStream, ConnectError> {
    let proxy = tls.dialer().reach_proxy(rules).await?;
    let passed = tls.dialer().pass(rules, proxy, host, port).await;
    let says = match &passed {
        Ok(_) => format!("{} lets us through to {host}:{port}", rules.proxy),
        Err(_) => format!("{} answers", rules.proxy),
    };
    checks.push(Check::ok(PROXY, says));
    passed
}

/// Makes a TLS session, and says what was agreed on and how long the certificate lasts.
async fn tls_session(name: &'static str, tls: &ClientTls, tcp: TcpStream, url: &Url) -> Check {
    let (host, port) = (url.host_str().unwrap_or_default(), port(url));
    let stream = match tls.secure(tcp, host, port).await {
        Ok(stream) => stream,
        Err(error) => return Check::failure(name, error.to_string()),
    };
    let session = stream.get_ref().1;
    let proof = match tls.is_insecure() {
        true => "NOT VERIFIED",
        false => "verified",
    };
    let agreed = format!("{host}:{port} {proof}: {}", tls::describe(session));
    match tls::certificate_end(session) {
        Some((end, days)) if days < RENEWAL => {
            Check::warning(name, format!("{agreed}, certificate ends SOON, at {end}"))
        }
        Some((end, days)) => Check::ok(
            name,
            format!("{agreed}, certificate ends at {end}, in {days} days"),
        ),
        None => Check::ok(name, agreed),
    }
}

/// The port of a URL, or that of its protocol.
fn port(url: &Url) -> u16 {
    let usual = match url.scheme() {
        "rtmp" => RTMP_PORT,
        _ => TLS_PORT,
    };
    url.port_or_known_default().unwrap_or(usual)
}

/// Logs in, asks for a push URL, and logs out again.
async fn login(plan: &Plan) -> Result<SecretString, String> {
    let credentials = match plan.credentials.clone() {
        // Another user than the daemon's: a second login of one user voids the first.
        Credentials::GetLoginInfo { .. } => Credentials::GetLoginInfo { user_id: None },
        own => own,
    };
    let (events, _) = mpsc::channel(1);
    let room =
        RoomSession::start(&plan.room, credentials, events).map_err(|error| error.to_string())?;
    let push_url = room.get_push_url("").await.map_err(|error| error.reason());
    if let Err(error) = room.stop().await {
        log::debug!("logout after the self-test: {error}");
    }
    push_url.map(Into::into)
}

/// Connects to the relay of a push URL.
async fn relay(push_url: &str, tls: &ClientTls, checks: &mut Vec<Check>) {
    let url = match Url::parse(push_url) {
        Ok(url) => url,
        Err(error) => {
            let says = format!("the push URL cannot be read: {error}");
            return checks.push(Check::failure(RELAY, says));
        }
    };
    let Some(stream) = connect(RELAY, tls, &url, checks).await else {
        return;
    };
    if url.scheme() == "rtmps" {
        return checks.push(tls_session(RELAY, tls, stream, &url).await);
    }
    let (host, port) = (url.host_str().unwrap_or_default(), port(&url));
    let here = stream.peer_addr().is_ok_and(|at| at.ip().is_loopback());
    checks.push(match here && tls.dialer().proxy_for(host).is_none() {
        true => Check::ok(RELAY, format!("{host}:{port} answers")),
        false => Check::warning(
            RELAY,
            format!("{host}:{port} answers; plain RTMP, pictures and sound can be seen on the way"),
        ),
    });
}
