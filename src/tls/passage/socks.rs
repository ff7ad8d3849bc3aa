//! A way through a proxy by SOCKS 5. Names go to the proxy as they are.

use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio_socks::Error;
use tokio_socks::tcp::Socks5Stream;

use crate::config::proxy::ProxyLogin;
use crate::tls::connect_error::bare;
use crate::tls::proxy_fault::ProxyRefusal;

pub(super) async fn through(
    stream: TcpStream,
    host: &str,
    port: u16,
    login: Option<&ProxyLogin>,
) -> Result<TcpStream, ProxyRefusal> {
    let to = (bare(host), port);
    let asked = match login {
        None => Socks5Stream::connect_with_socket(stream, to).await,
        Some(login) => {
            let (user, password) = (login.user.expose_secret(), login.password.expose_secret());
            Socks5Stream::connect_with_password_and_socket(stream, to, user, password).await
        }
    };
    let way = asked.map_err(|error| refusal(&format!("{host}:{port}"), &error, login.is_some()))?;
    Ok(way.into_inner())
}

/// The meaning of an answer that is no success (RFC 1928, section 6).
fn refusal(to: &str, error: &Error, login: bool) -> ProxyRefusal {
    let (to, said) = (to.to_owned(), error.to_string());
    match error {
        Error::NoAcceptableAuthMethods | Error::AuthorizationRequired if !login => {
            ProxyRefusal::NoLogin(String::new())
        }
        Error::NoAcceptableAuthMethods
        | Error::AuthorizationRequired
        | Error::InvalidAuthValues(_)
        | Error::PasswordAuthFailure(_) => ProxyRefusal::WrongLogin(String::new()),
        Error::ConnectionNotAllowedByRuleset
        | Error::CommandNotSupported
        | Error::AddressTypeNotSupported => ProxyRefusal::Forbidden { to, said },
        Error::GeneralSocksServerFailure
        | Error::NetworkUnreachable
        | Error::HostUnreachable
        | Error::ConnectionRefused
        | Error::TtlExpired
        | Error::InvalidTargetAddress(_) => ProxyRefusal::Beyond { to, said },
        _ => ProxyRefusal::NotAProxy {
            language: "SOCKS 5",
            reason: said,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_to_do() {
        for (error, login, wanted) in [
            (
                Error::NoAcceptableAuthMethods,
                false,
                "wants a user and a password: give",
            ),
            (
                Error::PasswordAuthFailure(1),
                true,
                "does not take this user and password (",
            ),
            (
                Error::NoAcceptableAuthMethods,
                true,
                "does not take this user and password (",
            ),
            (
                Error::ConnectionNotAllowedByRuleset,
                false,
                "h:1 (Connection not allowed by ruleset)",
            ),
            (
                Error::HostUnreachable,
                false,
                "cannot connect to h:1 (Host unreachable)",
            ),
            (
                Error::InvalidResponseVersion,
                false,
                "does not speak SOCKS 5: Invalid response",
            ),
        ] {
            let said = refusal("h:1", &error, login).to_string();
            assert!(said.contains(wanted), "{said}");
        }
    }
}
