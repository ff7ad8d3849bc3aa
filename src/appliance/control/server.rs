//! The daemon's end of the control socket.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::callers::{Callers, Place};
use super::client::{ControlError, DEADLINE, LINE_LIMIT};
use crate::process::backoff::Backoff;
use crate::session::{Request, SessionHandle};

/// Shortest and longest pause after a caller could not be let in, as when all files that this
/// process may open are open.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A socket that answers until it is stopped.
#[derive(Debug)]
pub struct ControlServer {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlServer {
    /// Binds the socket; one left over from a daemon that was killed is replaced.
    ///
    /// # Errors
    /// When another daemon answers there, or the path cannot be made.
    pub async fn bind(path: &Path) -> Result<Self, ControlError> {
        let failed = |source| ControlError::Bind {
            path: path.to_owned(),
            source,
        };
        if UnixStream::connect(path).await.is_ok() {
            return Err(ControlError::InUse(path.to_owned()));
        }
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(failed)?;
        }
        match tokio::fs::remove_file(path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        let mode = std::fs::Permissions::from_mode(0o660);
        tokio::fs::set_permissions(path, mode)
            .await
            .map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Answers callers until `stop`, then removes the socket.
    pub async fn run(self, session: SessionHandle, stop: CancellationToken) {
        stop.run_until_cancelled(self.answer_callers(&session))
            .await;
        if let Err(error) = std::fs::remove_file(&self.path) {
            log::warn!("the control socket cannot be removed: {error}");
        }
    }

    /// Never returns.
    async fn answer_callers(&self, session: &SessionHandle) {
        let callers = Callers::default();
        let mut pauses = Backoff::endless(PAUSE.0, PAUSE.1);
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    pauses.reset();
                    let place = stream.peer_cred().map(|peer| callers.admit(peer.uid()));
                    match place {
                        Ok(Some(place)) => {
                            tokio::spawn(serve(stream, place, session.clone()));
                        }
                        refused => log::debug!(refused:?; "too many control connections"),
                    }
                }
                Err(error) => {
                    let pause = pauses.next_pause(rand::random());
                    log::warn!(error:%; "control connections wait for {pause:?}");
                    sleep(pause).await;
                }
            }
        }
    }
}

/// Serves a caller until they go, their place is taken, or their time is over.
async fn serve(stream: UnixStream, place: Place, session: SessionHandle) {
    let answered = tokio::select! {
        answered = timeout(DEADLINE, answer_all(stream, &place, &session)) => answered,
        () = place.taken() => return,
    };
    log::debug!(answered:?; "control connection closed");
}

async fn answer_all(stream: UnixStream, place: &Place, session: &SessionHandle) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader.take(LINE_LIMIT)).lines();
    while let Some(line) = lines.next_line().await? {
        if !place.set_busy(true) {
            break;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(request) => carry_out(request, session).await,
            Err(error) => Answer::refusal(&format!("the request cannot be read: {error}")),
        };
        let mut text = serde_json::to_string(&answer)?;
        text.push('\n');
        writer.write_all(text.as_bytes()).await?;
        place.set_busy(false);
    }
    Ok(())
}

async fn carry_out(request: Request, session: &SessionHandle) -> Answer {
    let done = match request {
        Request::Status => session.status().await.map(Some),
        request => session.request(request).await.map(|()| None),
    };
    let status = match done {
        Ok(status) => status.map(serde_json::to_value).transpose(),
        Err(error) => return Answer::refusal(&error),
    };
    match status {
        Ok(status) => Answer {
            ok: true,
            error: None,
            status,
        },
        Err(error) => Answer::refusal(&error),
    }
}
