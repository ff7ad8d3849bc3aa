//! The faults that end a connection, in words for the log and as Tencent's numbers.

use std::time::Duration;

use crate::media::error::MediaError;
use crate::media::loss::{Loss, LossCause};
use crate::media::relay_url;
use crate::protocol::events::PlayCode;

/// Name of the element that talks to the relay.
pub(super) const SOURCE: &str = "rtmp-source";
/// Name of the element that decodes the picture.
pub(super) const DECODER: &str = "video-decoder";

/// Reason why a connection ended or never came to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the play URL {0}")]
    BadUrl(String),
    #[error("the server did not answer within {0:?}")]
    NoAnswer(Duration),
    #[error("nothing to play came for {0:?}: nobody sends this stream, or the server hangs")]
    NoStream(Duration),
    #[error("nothing was received for {0:?}")]
    Silence(Duration),
    #[error("video arrives, but no picture came out of it for {0:?}")]
    NoPicture(Duration),
    #[error("the server ended the stream")]
    Ended,
    #[error("the server closed the connection before the stream began")]
    Refused,
    #[error("{}", .0.message)]
    Link(Loss),
    #[error("{error}{}", detail(.error))]
    Pipeline { error: MediaError, connected: bool },
}

/// The part of GStreamer's debug text that is meant for people, if there is one.
fn detail(error: &MediaError) -> String {
    match error {
        MediaError::Pipeline { debug, .. } => debug
            .lines()
            .find(|line| line.starts_with("domain "))
            .map(|line| format!(" ({line})"))
            .unwrap_or_default(),
        _ => String::new(),
    }
}

/// Accepts `rtmp://` and `rtmps://` URLs with a host, an application and a stream.
///
/// # Errors
/// `BadUrl`, without quoting what may be secret.
pub(super) fn check_url(url: &str) -> Result<(), Fault> {
    relay_url::check(url).map_err(Fault::BadUrl)
}

impl Fault {
    /// `error` of the pipeline that plays `url`, without the secret in the URL's query.
    pub(super) fn pipeline(error: MediaError, url: &str, connected: bool) -> Self {
        let query = url.split_once('?').map(|(_, query)| query);
        let error = match (error, query.filter(|query| !query.is_empty())) {
            (
                MediaError::Pipeline {
                    element,
                    message,
                    debug,
                },
                Some(query),
            ) => MediaError::Pipeline {
                element,
                message: message.replace(query, "[redacted]"),
                debug: debug.replace(query, "[redacted]"),
            },
            (error, _) => error,
        };
        Self::Pipeline { error, connected }
    }

    /// The warning that names the cause.
    pub(super) fn code(&self) -> PlayCode {
        match self {
            Self::BadUrl(_) | Self::NoAnswer(_) => PlayCode::ServerConnFail,
            Self::NoStream(_) | Self::Silence(_) | Self::Ended | Self::Refused => {
                PlayCode::ServerDisconnect
            }
            Self::NoPicture(_) => PlayCode::VideoDecodeFail,
            Self::Link(loss) => relay_code(loss.cause),
            Self::Pipeline { error, connected } => pipeline_code(error, *connected),
        }
    }

    /// Whether it is the way to the relay that is gone, as far as can be seen.
    pub(super) fn is_of_the_path(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Silence(_) => true,
            Self::Pipeline { .. } => matches!(
                self.code(),
                PlayCode::DnsFail | PlayCode::ServerConnFail | PlayCode::ShakeFail
            ),
            _ => false,
        }
    }

    /// Whether trying again cannot help.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::BadUrl(_) => true,
            Self::Link(loss) => loss.cause == LossCause::Untrusted,
            _ => false,
        }
    }

    /// Whether another decoder may do better.
    pub(super) fn blames_decoder(&self) -> bool {
        match self {
            Self::NoPicture(_) => true,
            Self::Pipeline {
                error: MediaError::Pipeline { element, .. },
                ..
            } => element == DECODER,
            _ => false,
        }
    }
}

fn pipeline_code(error: &MediaError, connected: bool) -> PlayCode {
    let MediaError::Pipeline {
        element,
        message,
        debug,
    } = error
    else {
        return PlayCode::ServerConnFail;
    };
    if element != SOURCE {
        return match element.starts_with("audio") {
            true => PlayCode::AudioDecodeFail,
            false => PlayCode::VideoDecodeFail,
        };
    }
    if connected {
        return PlayCode::ServerDisconnect;
    }
    relay_code(LossCause::of_rtmp_error(message, debug))
}

fn relay_code(cause: LossCause) -> PlayCode {
    match cause {
        LossCause::Dns => PlayCode::DnsFail,
        LossCause::Unreachable | LossCause::Proxy => PlayCode::ServerConnFail,
        LossCause::Handshake | LossCause::Tls | LossCause::Untrusted => PlayCode::ShakeFail,
        _ => PlayCode::ServerDisconnect,
    }
}

impl From<Loss> for Fault {
    fn from(loss: Loss) -> Self {
        Self::Link(loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts are what rtmp2src of GStreamer 1.22 reports.
    #[test]
    fn each_cause_has_its_number() {
        let resolver = "domain g-resolver-error-quark, code 0";
        let cases = [
            (
                "rtmp-source",
                "Failed to connect: Error resolving “h”: Name or service not known",
                resolver,
                false,
                PlayCode::DnsFail,
            ),
            (
                "rtmp-source",
                "Connection refused: Could not connect to 127.0.0.1: Connection refused",
                "",
                false,
                PlayCode::ServerConnFail,
            ),
            (
                "rtmp-source",
                "Failed to connect: Error receiving data: Connection reset by peer",
                "domain g-io-error-quark, code 44",
                false,
                PlayCode::ShakeFail,
            ),
            (
                "rtmp-source",
                "Not authorized to connect",
                "",
                false,
                PlayCode::ServerDisconnect,
            ),
            (
                "rtmp-source",
                "Internal data stream error.",
                "",
                true,
                PlayCode::ServerDisconnect,
            ),
            (
                "video-decoder",
                "cannot decode",
                "",
                true,
                PlayCode::VideoDecodeFail,
            ),
            (
                "audio-decoder",
                "cannot decode",
                "",
                true,
                PlayCode::AudioDecodeFail,
            ),
        ];
        for (element, message, debug, connected, code) in cases {
            let error = MediaError::Pipeline {
                element: element.to_owned(),
                message: message.to_owned(),
                debug: debug.to_owned(),
            };
            let fault = Fault::Pipeline { error, connected };
            assert_eq!(fault.code(), code, "{message}");
            assert_eq!(fault.blames_decoder(), element == "video-decoder");
            let path = [
                PlayCode::DnsFail,
                PlayCode::ServerConnFail,
                PlayCode::ShakeFail,
            ];
            assert_eq!(fault.is_of_the_path(), path.contains(&code));
            assert!(!fault.is_final());
        }
    }

    #[test]
    fn refuses_what_is_no_stream() {
        for (url, word) in [
            ("", "not a URL"),
            ("nonsense", "not a URL"),
            ("http://h/live/x.flv?txSecret=abc", "scheme http,"),
            ("rtmp:///live/x", "host"),
            ("rtmp://h/live", "stream"),
            ("rtmp://h", "stream"),
        ] {
            let fault = check_url(url).expect_err(url);
            assert!(fault.to_string().contains(word), "{url}: {fault}");
            assert!(!fault.to_string().contains("abc"));
            assert!(fault.is_final());
        }
        assert_eq!(check_url("rtmp://h:1935/live/x?txSecret=abc"), Ok(()));
        assert_eq!(check_url("rtmps://h/a/b/c"), Ok(()));
    }

    #[test]
    fn hides_the_secret() {
        let error = MediaError::Pipeline {
            element: "rtmp-source".to_owned(),
            message: "no live/x?txSecret=abc".to_owned(),
            debug: "domain d: x?txSecret=abc".to_owned(),
        };
        let fault = Fault::pipeline(error, "rtmp://h/live/x?txSecret=abc", false);
        assert!(!format!("{fault} {fault:?}").contains("abc"));
    }
}
