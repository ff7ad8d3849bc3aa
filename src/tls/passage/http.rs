//! A way through a proxy by HTTP's CONNECT. hyper does the talking: its connector for proxies
//! does not tell with which status a proxy refuses.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::config::proxy::ProxyLogin;
use crate::tls::connect_error::bare;
use crate::tls::proxy_fault::ProxyRefusal;

/// Longest offer of ways to log in that is quoted, in characters.
const QUOTED: usize = 80;

pub(super) async fn through(
    stream: TcpStream,
    host: &str,
    port: u16,
    login: Option<&ProxyLogin>,
) -> Result<TcpStream, ProxyRefusal> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(strange)?;
    // Ends with this function, however that ends.
    let mut talk = JoinSet::new();
    talk.spawn(connection.with_upgrades());
    ask(sender, &authority(host, port), login).await
}

/// `host:port`, with an IPv6 address in brackets.
fn authority(host: &str, port: u16) -> String {
    match bare(host) {
        address if address.contains(':') => format!("[{address}]:{port}"),
        name => format!("{name}:{port}"),
    }
}

async fn ask(
    mut sender: SendRequest<String>,
    to: &str,
    login: Option<&ProxyLogin>,
) -> Result<TcpStream, ProxyRefusal> {
    let mut request = Request::connect(to)
        .header(HOST, to)
        .header(USER_AGENT, concat!("rtckiosk/", env!("CARGO_PKG_VERSION")));
    if let Some(login) = login {
        request = request.header(PROXY_AUTHORIZATION, basic(login));
    }
    let request = request.body(String::new());
    let request = request.map_err(|error| ProxyRefusal::Beyond {
        to: to.to_owned(),
        said: error.to_string(),
    })?;
    let answer = sender.send_request(request).await.map_err(strange)?;
    if !answer.status().is_success() {
        return Err(refusal(
            to,
            answer.status(),
            answer.headers(),
            login.is_some(),
        ));
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(strange)?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>();
    match parts {
        // Servers of HTTP, TLS and RTMP never speak first.
        Ok(parts) if parts.read_buf.is_empty() => Ok(parts.io.into_inner()),
        _ => Err(not_http("it sends more than an answer".to_owned())),
    }
}

fn basic(login: &ProxyLogin) -> HeaderValue {
    let (user, password) = (login.user.expose_secret(), login.password.expose_secret());
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::from_str(&text).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn strange(error: hyper::Error) -> ProxyRefusal {
    not_http(error.to_string())
}

fn not_http(reason: String) -> ProxyRefusal {
    ProxyRefusal::NotAProxy {
        language: "HTTP",
        reason,
    }
}

/// The meaning of a status that is no success.
fn refusal(to: &str, status: StatusCode, headers: &HeaderMap, login: bool) -> ProxyRefusal {
    let (to, said) = (to.to_owned(), status.to_string());
    match status.as_u16() {
        // tinyproxy answers a wrong login with 401.
        401 | 407 => {
            let offered = offered(headers);
            match login {
                true => ProxyRefusal::WrongLogin(offered),
                false => ProxyRefusal::NoLogin(offered),
            }
        }
        // Proxies tell so that they could not reach the server, or not in time.
        500 | 502 | 503 | 504 => ProxyRefusal::Beyond { to, said },
        _ => ProxyRefusal::Forbidden { to, said },
    }
}

/// The ways to log in that are offered, unless Basic is one of them.
fn offered(headers: &HeaderMap) -> String {
    let offers = headers.get_all(PROXY_AUTHENTICATE).iter();
    let words = offers.filter_map(|offer| offer.to_str().ok()?.split_whitespace().next());
    let words: Vec<_> = words.collect();
    match words.iter().any(|word| word.eq_ignore_ascii_case("basic")) {
        true => String::new(),
        false => words.join(", ").chars().take(QUOTED).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_to_do() {
        let words = |status, offers: &[&'static str], login| {
            let mut headers = HeaderMap::new();
            for offer in offers {
                headers.append(PROXY_AUTHENTICATE, HeaderValue::from_static(offer));
            }
            let status = StatusCode::from_u16(status).expect("a status");
            refusal("h:443", status, &headers, login).to_string()
        };
        for (status, offers, login, wanted) in [
            (407, &[][..], false, "wants a user and a password: give"),
            (
                407,
                &["Basic realm=x"],
                true,
                "does not take this user and password (net",
            ),
            (
                401,
                &["NTLM", "Negotiate"],
                true,
                "(it offers NTLM, Negotiate; Basic is known",
            ),
            (
                403,
                &[],
                false,
                "through to h:443 (403 Forbidden): its rules must allow",
            ),
            (
                502,
                &[],
                false,
                "was reached, but cannot connect to h:443 (502 Bad Gateway)",
            ),
            (301, &[], false, "through to h:443 (301"),
        ] {
            let said = words(status, offers, login);
            assert!(said.contains(wanted), "{said}");
        }
    }

    #[test]
    fn addresses_stand_in_brackets() {
        assert_eq!(authority("h", 1), "h:1");
        assert_eq!(authority("[::1]", 1), "[::1]:1");
        assert_eq!(authority("::1", 1), "[::1]:1");
    }
}
