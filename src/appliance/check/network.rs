//! The part of the self-test that talks to the room server and the relay.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::Url;

use super::verdict::{Check, Verdict};
use crate::appliance::plan::Plan;
use crate::config::kiosk::Credentials;
use crate::room::RoomSession;
use crate::tls::{self, ClientTls};

/// For a connection to the relay.
const RELAY_DEADLINE: Duration = Duration::from_secs(3);
/// Port of RTMP, and of RTMPS and HTTPS, where a URL has none.
const RTMP_PORT: u16 = 1935;
const TLS_PORT: u16 = 443;
/// Days before its end in which a certificate should have been renewed.
const RENEWAL: u64 = 14;

const ROOM_TLS: &str = "room server TLS";
const ROOM: &str = "room server";
const RELAY: &str = "relay";

/// Room server and relay: a login, a push URL, and a connection to where it leads.
pub(super) async fn checks(plan: &Plan) -> Vec<Check> {
    let mut checks = Vec::new();
    let url = &plan.room_url;
    if url.scheme() == "https" {
        let session = tls_session(ROOM_TLS, &plan.room_tls, url).await;
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
    checks.push(relay(push_url.expose_secret(), &plan.session.relay_tls).await);
    checks
}

/// Makes a TLS session, and says what was agreed on and how long the certificate lasts.
async fn tls_session(name: &'static str, tls: &ClientTls, url: &Url) -> Check {
    let (host, port) = (url.host_str().unwrap_or_default(), port(url));
    let stream = match tls.connect(host, port).await {
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
async fn relay(push_url: &str, tls: &ClientTls) -> Check {
    let url = match Url::parse(push_url) {
        Ok(url) => url,
        Err(error) => {
            return Check::failure(RELAY, format!("the push URL cannot be read: {error}"));
        }
    };
    if url.scheme() == "rtmps" {
        return tls_session(RELAY, tls, &url).await;
    }
    let (host, port) = (url.host_str().unwrap_or_default(), port(&url));
    match timeout(RELAY_DEADLINE, TcpStream::connect((host, port))).await {
        Ok(Ok(peer)) if peer.peer_addr().is_ok_and(|at| at.ip().is_loopback()) => {
            Check::ok(RELAY, format!("{host}:{port} answers"))
        }
        Ok(Ok(_)) => Check::warning(
            RELAY,
            format!("{host}:{port} answers; plain RTMP, pictures and sound can be seen on the way"),
        ),
        Ok(Err(error)) => Check::failure(RELAY, format!("{host}:{port}: {error}")),
        Err(_) => Check::failure(RELAY, format!("{host}:{port} does not answer")),
    }
}
