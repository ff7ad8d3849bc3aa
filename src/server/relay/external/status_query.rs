//! Queries of an external relay's status over HTTP: one list of streams, or one signed question
//! per stream.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use url::Url;

use super::answer::{self, Publishing};
use super::flow::Flow;
use crate::config::server::Status;
use crate::server::clock::Calendar;
use crate::server::relay::probe::{StreamProbe, StreamState};
use crate::tls::{self, HttpClient, HttpError, TlsFault, Trust, TrustError, TrustSettings};

/// Deadline of one whole question, the connection included. Below the reaper's sweep of 5 s.
const DEADLINE: Duration = Duration::from_secs(3);
/// Longest answer read, in bytes: nginx writes about 1 KiB per client.
const ANSWER_LIMIT: usize = 4 << 20;
/// Time for which one list of streams answers for all of them, so that a sweep over many
/// members asks once.
const FRESH: Duration = Duration::from_secs(1);
/// Life of a signed question in seconds, as the official servers sign it.
const SIGNED_SECONDS: u64 = 300;

/// The reason for which there is no external relay to ask.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    #[error("the relay's status cannot be asked: HTTP cannot be set up")]
    Http(#[source] reqwest::Error),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("the live service cannot be asked: `auth.api_key` is missing")]
    NoApiKey,
}

/// An external relay that can be asked about its streams. Cheap to clone.
#[derive(Clone)]
pub struct ExternalRelay(Arc<Inner>);

struct Inner {
    http: HttpClient,
    source: Source,
    /// The last list of streams, for those that give lists.
    list: Mutex<Option<(Instant, Bytes)>>,
    flow: Flow,
}

/// The kind of relay, and the address of its status.
enum Source {
    Nginx(Url),
    Srs(Url),
    Tencent {
        url: Url,
        app_id: u64,
        api_key: SecretString,
        calendar: Calendar,
    },
}

impl fmt::Debug for ExternalRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, url) = match &self.0.source {
            Source::Nginx(url) => ("nginx", url),
            Source::Srs(url) => ("srs", url),
            Source::Tencent { url, .. } => ("tencent", url),
        };
        write!(f, "ExternalRelay({kind} at {:?})", url.host_str())
    }
}

impl ExternalRelay {
    /// Prepares to ask: `api_key` and `unix_now` (unix seconds) sign questions to Tencent's live service; one of the
    /// CAs in `ca_file`, or of the system's, vouches for the server that answers by HTTPS.
    ///
    /// # Errors
    /// A live service without key, a CA file that cannot be used, or TLS that cannot be set up.
    pub fn new(
        status: &Status,
        api_key: Option<&SecretString>,
        ca_file: Option<PathBuf>,
        unix_now: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, ExternalError> {
        let source = match status {
            Status::Nginx(url) => Source::Nginx(url.clone()),
            Status::Srs(base) => Source::Srs(srs_list(base)),
            Status::Tencent { url, app_id } => Source::Tencent {
                url: url.clone(),
                app_id: *app_id,
                api_key: api_key.ok_or(ExternalError::NoApiKey)?.clone(),
                calendar: Calendar::new(unix_now),
            },
        };
        Ok(Self(Arc::new(Inner {
            http: http(ca_file)?,
            source,
            list: Mutex::new(None),
            flow: Flow::default(),
        })))
    }
}

/// Sets up requests to a relay; one of the CAs in `ca_file`, or of the system's, vouches for it.
///
/// # Errors
/// A CA file that cannot be used.
pub fn http(ca_file: Option<PathBuf>) -> Result<HttpClient, ExternalError> {
    const AGENT: &str = concat!("rtcroomd/", env!("CARGO_PKG_VERSION"));
    let trust = Trust::load(&TrustSettings {
        ca_file,
        ..TrustSettings::default()
    })?;
    HttpClient::new(AGENT, &trust.client(&[]), DEADLINE).map_err(ExternalError::Http)
}

impl StreamProbe for ExternalRelay {
    async fn state(&self, stream_id: &str) -> StreamState {
        let asked = timeout(DEADLINE, self.0.ask(stream_id)).await;
        match asked {
            Ok(Ok(publishing)) => self.0.flow.judge(stream_id, publishing, Instant::now()),
            Ok(Err(reason)) => StreamState::Unknown(reason),
            Err(_) => StreamState::Unknown(format!("no answer within {DEADLINE:?}")),
        }
    }
}

impl Inner {
    async fn ask(&self, stream_id: &str) -> Result<Publishing, String> {
        match &self.source {
            Source::Nginx(url) => answer::nginx(&self.list(url).await?, stream_id),
            Source::Srs(url) => answer::srs(&self.list(url).await?, stream_id),
            Source::Tencent {
                url,
                app_id,
                api_key,
                calendar,
            } => {
                let url = tencent_question(url, *app_id, api_key, stream_id, calendar.unix_now());
                answer::tencent(&self.get(url).await?)
            }
        }
    }

    /// The list of all streams, at most [`FRESH`] old. Others that ask meanwhile wait for it.
    async fn list(&self, url: &Url) -> Result<Bytes, String> {
        let mut list = self.list.lock().await;
        match &*list {
            Some((at, body)) if at.elapsed() <= FRESH => Ok(body.clone()),
            _ => {
                let body = self.get(url.clone()).await?;
                *list = Some((Instant::now(), body.clone()));
                Ok(body)
            }
        }
    }

    async fn get(&self, url: Url) -> Result<Bytes, String> {
        let reason = |error: HttpError| {
            TlsFault::find(&error).map_or_else(|| root_cause(&error), |fault| fault.to_string())
        };
        let sent = self.http.send(self.http.get(url)).await;
        let mut response = sent.map_err(reason)?;
        if !response.status().is_success() {
            return Err(format!("the relay answered {}", response.status()));
        }
        let mut body = BytesMut::new();
        while let Some(piece) = tls::chunk(&mut response).await.map_err(reason)? {
            if body.len() + piece.len() > ANSWER_LIMIT {
                return Err(format!("the answer is longer than {ANSWER_LIMIT} bytes"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

/// The innermost message: it says what happened, the outer ones only where.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}

/// The address of SRS's list: SRS lists ten streams unless asked for more, and redirects without the last slash.
fn srs_list(base: &Url) -> Url {
    let mut url = base.clone();
    let path = format!("{}/api/v1/streams/", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_query(Some("start=0&count=10000"));
    url
}

/// `Live_Channel_GetStatus`: signed with MD5 of key and expiry.
fn tencent_question(base: &Url, app_id: u64, key: &SecretString, stream_id: &str, now: u64) -> Url {
    let expires = (now + SIGNED_SECONDS).to_string();
    let mut md5 = Md5::new();
    md5.update(key.expose_secret());
    md5.update(&expires);
    let mut url = base.clone();
    url.query_pairs_mut()
        .append_pair("appid", &app_id.to_string())
        .append_pair("interface", "Live_Channel_GetStatus")
        .append_pair("Param.s.channel_id", stream_id)
        .append_pair("t", &expires)
        .append_pair("sign", &hex::encode(md5.finalize()));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn asks_srs_for_all_its_streams() {
        for base in ["http://srs:1985", "http://srs:1985/"] {
            let asked = srs_list(&url(base));
            let wanted = "http://srs:1985/api/v1/streams/?start=0&count=10000";
            assert_eq!(asked.as_str(), wanted);
        }
    }

    #[test]
    fn signs_questions_to_the_live_service() {
        let base = url("http://fcgi.video.qcloud.com/common_access");
        let key = SecretString::from("key");
        let asked = tencent_question(&base, 12, &key, "8525_a", 1_700_000_000);
        // printf %s key1700000300 | md5sum
        let wanted = "http://fcgi.video.qcloud.com/common_access?appid=12\
            &interface=Live_Channel_GetStatus&Param.s.channel_id=8525_a&t=1700000300\
            &sign=cf48a12ddc0f5182f3989fb9c67d1091";
        assert_eq!(asked.as_str(), wanted);
    }
}
