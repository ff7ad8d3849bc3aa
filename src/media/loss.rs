//! The causes of a lost stream: GStreamer's words, turned into what the field has numbers for.

use super::error::MediaError;
use super::push_event::PushEvent;
use crate::protocol::events::PushCode;

/// The cause for which a connection to the relay failed or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(i64)]
pub enum LossCause {
    /// The host's name has no address.
    Dns = 1,
    /// Nothing listens there, or there is no way to the host.
    Unreachable = 2,
    /// Connected, but the peer did not speak RTMP to us in time.
    Handshake = 3,
    /// The relay does not want this stream: URL invalid, expired or in use.
    Refused = 4,
    /// The relay closed a connection on which media had been flowing.
    ServerClosed = 5,
    /// No byte moved for too long.
    Silent = 6,
    /// Encoder or muxer failed: our side.
    Encoder = 7,
    /// No TLS session with the relay, or no TLS at all where the relay wants it.
    Tls = 8,
    /// The relay could not prove who it is: a certificate that is not trusted, or a wrong clock.
    Untrusted = 9,
    /// The proxy does not let us through: somebody must change its rules or ours.
    Proxy = 10,
}

impl LossCause {
    const ALL: [Self; 10] = [
        Self::Dns,
        Self::Unreachable,
        Self::Handshake,
        Self::Refused,
        Self::ServerClosed,
        Self::Silent,
        Self::Encoder,
        Self::Tls,
        Self::Untrusted,
        Self::Proxy,
    ];

    /// The number that tells the cause to those who know only Tencent's numbers.
    #[must_use]
    pub fn push_code(self) -> PushCode {
        match self {
            Self::Dns => PushCode::DnsFail,
            Self::Unreachable | Self::Proxy => PushCode::ServerConnFail,
            Self::Handshake | Self::Tls | Self::Untrusted => PushCode::ShakeFail,
            Self::Refused | Self::ServerClosed => PushCode::ServerDisconnect,
            Self::Silent => PushCode::ServerNoData,
            Self::Encoder => PushCode::VideoEncodeWarning,
        }
    }

    /// The cause behind an error of one of the RTMP elements.
    ///
    /// GStreamer's own words and GIO's error codes are read, never GIO's texts: those are
    /// translated.
    #[must_use]
    pub fn of_rtmp_error(message: &str, debug: &str) -> Self {
        const REFUSALS: [&str; 3] = ["' cmd failed", " denied", "Not authorized"];
        const TIMED_OUT: &str = "domain g-io-error-quark, code 24";
        if debug.contains("domain g-resolver-error-quark") {
            Self::Dns
        } else if REFUSALS.iter().any(|words| message.contains(words)) {
            Self::Refused
        } else if message.starts_with("Failed to connect") {
            Self::Handshake
        } else if message.starts_with("Connection error") && debug.contains(TIMED_OUT) {
            Self::Silent
        } else if message.starts_with("Connection error") {
            Self::ServerClosed
        } else {
            Self::Unreachable
        }
    }
}

impl PushEvent {
    /// The cause, for the events that report a loss (1102, -1307, 3001..3005):
    /// their first parameter.
    #[must_use]
    pub fn cause(&self) -> Option<LossCause> {
        let code = self.code;
        let tells = matches!(code, PushCode::Reconnect | PushCode::NetDisconnect)
            || LossCause::ALL.iter().any(|cause| cause.push_code() == code);
        let number = self.params[0].filter(|_| tells)?;
        LossCause::ALL
            .into_iter()
            .find(|&cause| cause as i64 == number)
    }
}

/// A lost connection: the cause and the words for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) cause: LossCause,
    pub(crate) message: String,
}

impl Loss {
    /// The loss behind an error of a pipeline whose network element is `network`.
    pub(crate) fn of(error: &MediaError, network: &str) -> Self {
        let cause = match error {
            MediaError::Pipeline {
                element,
                message,
                debug,
            } if element == network => LossCause::of_rtmp_error(message, debug),
            _ => LossCause::Encoder,
        };
        Self {
            cause,
            message: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen from GStreamer 1.22 against real peers.
    #[test]
    fn reads_what_the_rtmp_elements_say() {
        let io = |code| format!("send_connect_error (): /x:\ndomain g-io-error-quark, code {code}");
        for (message, debug, cause) in [
            (
                "Failed to connect: Error resolving “no.such.host.invalid”: unknown",
                "send_connect_error (): /x:\ndomain g-resolver-error-quark, code 0".to_owned(),
                LossCause::Dns,
            ),
            (
                "Connection refused: Could not connect to 127.0.0.1: Connection refused",
                "send_connect_error ()".to_owned(),
                LossCause::Unreachable,
            ),
            (
                "Failed to connect: Socket I/O timed out",
                io(24),
                LossCause::Handshake,
            ),
            (
                "Failed to connect: Error receiving data: Connection reset by peer",
                io(44),
                LossCause::Handshake,
            ),
            (
                "Failed to connect: 'connect' cmd failed: connection closed remotely",
                io(0),
                LossCause::Refused,
            ),
            (
                "Failed to connect: publish denied; stream already exists: {..}",
                io(2),
                LossCause::Refused,
            ),
            (
                "Connection error: Socket I/O timed out",
                io(24),
                LossCause::Silent,
            ),
            (
                "Connection error: connection closed remotely",
                io(44),
                LossCause::ServerClosed,
            ),
        ] {
            assert_eq!(
                LossCause::of_rtmp_error(message, &debug),
                cause,
                "{message}"
            );
        }
    }

    #[test]
    fn only_events_of_a_loss_have_a_cause() {
        let event = |code| PushEvent {
            code,
            message: String::new(),
            params: [Some(LossCause::Refused as i64), None],
        };
        for code in [
            PushCode::NetDisconnect,
            PushCode::Reconnect,
            PushCode::ServerDisconnect,
        ] {
            assert_eq!(event(code).cause(), Some(LossCause::Refused));
        }
        assert_eq!(event(PushCode::NetStatus).cause(), None);
    }
}
