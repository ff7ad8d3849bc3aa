//! The faults that end a connection, in words for the log and as Tencent's numbers.

use std::time::Duration;

use crate::media::error::MediaError;
use crate::media::loss::{Loss, LossCause};
use crate::media::relay_url;
use crate::protocol::events::PlayCode;

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
    Pipeline { error: MediaError },
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
    /// The warning that names the cause.
    pub(super) fn code(&self) -> PlayCode {
        match self {
            Self::BadUrl(_) | Self::NoAnswer(_) => PlayCode::ServerConnFail,
            Self::NoStream(_) | Self::Silence(_) | Self::Ended | Self::Refused => {
                PlayCode::ServerDisconnect
            }
            Self::NoPicture(_) => PlayCode::VideoDecodeFail,
            Self::Link(loss) => relay_code(loss.cause),
            Self::Pipeline { error } => pipeline_code(error),
        }
    }

    /// Whether it is the way to the relay that is gone, as far as can be seen.
    pub(super) fn is_of_the_path(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Silence(_) => true,
            Self::Link(loss) => matches!(
                loss.cause,
                LossCause::Dns | LossCause::Unreachable | LossCause::Handshake
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
            } => element == DECODER,
            _ => false,
        }
    }
}

fn pipeline_code(error: &MediaError) -> PlayCode {
    match error {
        MediaError::Pipeline { element, .. } if element.starts_with("audio") => {
            PlayCode::AudioDecodeFail
        }
        MediaError::Pipeline { .. } => PlayCode::VideoDecodeFail,
        _ => PlayCode::ServerConnFail,
    }
}

fn relay_code(cause: LossCause) -> PlayCode {
    match cause {
        LossCause::Dns => PlayCode::DnsFail,
        LossCause::Unreachable | LossCause::Proxy => PlayCode::ServerConnFail,
        LossCause::Handshake | LossCause::Tls | LossCause::Untrusted => PlayCode::ShakeFail,
        _ => PlayCode::ServerDisconnect,
    }
}

impl From<MediaError> for Fault {
    fn from(error: MediaError) -> Self {
        Self::Pipeline { error }
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

    #[test]
    fn each_cause_has_its_number() {
        for (cause, code, of_the_path) in [
            (LossCause::Dns, PlayCode::DnsFail, true),
            (LossCause::Unreachable, PlayCode::ServerConnFail, true),
            (LossCause::Handshake, PlayCode::ShakeFail, true),
            (LossCause::Tls, PlayCode::ShakeFail, false),
            (LossCause::Refused, PlayCode::ServerDisconnect, false),
            (LossCause::ServerClosed, PlayCode::ServerDisconnect, false),
        ] {
            let message = "words".to_owned();
            let fault = Fault::Link(Loss { cause, message });
            assert_eq!(fault.code(), code);
            assert_eq!(fault.is_of_the_path(), of_the_path, "{cause:?}");
            assert!(!fault.is_final() && !fault.blames_decoder());
        }
        for (element, code) in [
            (DECODER, PlayCode::VideoDecodeFail),
            ("video-parser", PlayCode::VideoDecodeFail),
            ("audio-decoder", PlayCode::AudioDecodeFail),
        ] {
            let fault = Fault::from(MediaError::Pipeline {
                element: element.to_owned(),
                message: "cannot decode".to_owned(),
                debug: String::new(),
            });
            assert_eq!(fault.code(), code, "{element}");
            assert_eq!(fault.blames_decoder(), element == DECODER);
            assert!(!fault.is_of_the_path() && !fault.is_final());
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
}
