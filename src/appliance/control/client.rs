//! The technician's end of the control socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::answer::Answer;
use crate::session::Request;

/// Longest request or answer, bytes.
pub(super) const LINE_LIMIT: u64 = 256 * 1024;
/// For one request and its answer: a message may take this long to be confirmed.
pub(super) const DEADLINE: Duration = Duration::from_secs(15);

/// The path of the daemon's socket in its runtime directory.
#[must_use]
pub fn socket(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("control.sock")
}

/// A reason why the daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("no daemon answers at {path}; is `rtckiosk run` running?")]
    NoDaemon { path: PathBuf, source: io::Error },
    #[error("the control socket {path} cannot be made")]
    Bind { path: PathBuf, source: io::Error },
    #[error("a daemon is already running on {0}")]
    InUse(PathBuf),
    #[error("the daemon did not answer within {} s", DEADLINE.as_secs())]
    TimedOut,
    #[error("the daemon's answer cannot be read: {0}")]
    BadAnswer(String),
    #[error("{0}")]
    Refused(String),
}

/// Asks the daemon whose socket is at `path`.
///
/// # Errors
/// When nobody answers, or the daemon refuses.
pub async fn ask(path: &Path, request: &Request) -> Result<Answer, ControlError> {
    let no_daemon = |source| ControlError::NoDaemon {
        path: path.to_owned(),
        source,
    };
    let bad = |error: &dyn std::fmt::Display| ControlError::BadAnswer(error.to_string());
    let exchange = async {
        let stream = UnixStream::connect(path).await.map_err(no_daemon)?;
        let (reader, mut writer) = stream.into_split();
        let mut text = serde_json::to_string(request).map_err(|error| bad(&error))?;
        text.push('\n');
        writer.write_all(text.as_bytes()).await.map_err(no_daemon)?;
        let mut line = String::new();
        let mut reader = BufReader::new(reader.take(LINE_LIMIT));
        reader.read_line(&mut line).await.map_err(no_daemon)?;
        serde_json::from_str::<Answer>(&line).map_err(|error| bad(&error))
    };
    let answer = timeout(DEADLINE, exchange)
        .await
        .map_err(|_| ControlError::TimedOut)??;
    match answer.error {
        Some(error) if !answer.ok => Err(ControlError::Refused(error)),
        _ => Ok(answer),
    }
}
