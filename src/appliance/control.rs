//! The control socket: how `status` and `ctl` talk to the running daemon.
//!
//! A Unix socket; one JSON object per line each way. Requests: `{"command":"status"}`, `call`,
//! `host`, `enter` with `room`, `hangup`, `mute` and `preview` with `on`, `view` with `user` and
//! `on`, `camera` with `name`, `snapshot` with `path` and, if another camera than the live one is
//! meant, `camera`, `message` with `text`, and `custom` with `cmd`, `msg` and, for one user alone,
//! `to`. Answers: `{"ok":true}`, with `status` where it was
//! asked for, or `{"ok":false,"error":"…"}`. Who may open the socket may give orders: it is
//! made with mode 0660, and its directory belongs to the service.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::session::{Command, Outgoing, SessionHandle};

/// Longest request or answer, bytes.
const LINE_LIMIT: u64 = 256 * 1024;
/// For one request and its answer: a message may take this long to be confirmed.
const DEADLINE: Duration = Duration::from_secs(15);
/// Callers at the same time.
const MAX_CALLERS: usize = 8;

/// What can be asked of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    Status,
    Call,
    Host,
    Enter {
        room: String,
    },
    HangUp,
    Mute {
        on: bool,
    },
    Preview {
        on: bool,
    },
    View {
        user: String,
        on: bool,
    },
    Camera {
        name: String,
    },
    /// `path` is the daemon's: absolute.
    Snapshot {
        path: PathBuf,
        camera: Option<String>,
    },
    Message {
        text: String,
    },
    Custom {
        cmd: String,
        msg: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
}

/// The daemon's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<serde_json::Value>,
}

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
        let callers = Arc::new(Semaphore::new(MAX_CALLERS));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            let (Ok((stream, _)), Ok(permit)) = (accepted, callers.clone().try_acquire_owned())
            else {
                log::warn!("a control connection was refused: too many callers");
                continue;
            };
            let session = session.clone();
            tokio::spawn(async move {
                let answered = timeout(DEADLINE, answer_all(stream, &session)).await;
                log::debug!(answered:? = answered; "control connection closed");
                drop(permit);
            });
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            log::warn!("the control socket cannot be removed: {error}");
        }
    }
}

async fn answer_all(stream: UnixStream, session: &SessionHandle) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader.take(LINE_LIMIT)).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match serde_json::from_str(&line) {
            Ok(request) => carry_out(request, session).await,
            Err(error) => failed(format!("the request cannot be read: {error}")),
        };
        let mut text = serde_json::to_string(&answer)?;
        text.push('\n');
        writer.write_all(text.as_bytes()).await?;
    }
    Ok(())
}

fn failed(error: String) -> Answer {
    Answer {
        ok: false,
        error: Some(error),
        status: None,
    }
}

async fn carry_out(request: Request, session: &SessionHandle) -> Answer {
    let done = match request {
        Request::Status => {
            let status = session.status().await.map(serde_json::to_value);
            return match status {
                Ok(Ok(status)) => Answer {
                    ok: true,
                    error: None,
                    status: Some(status),
                },
                Ok(Err(error)) => failed(error.to_string()),
                Err(error) => failed(error.to_string()),
            };
        }
        Request::Call => session.command(Command::Call).await,
        Request::Host => session.command(Command::Host).await,
        Request::Enter { room } => session.command(Command::Enter(room)).await,
        Request::Preview { on } => session.command(Command::Preview(on)).await,
        Request::View { user, on } => {
            let user_id = user;
            session.command(Command::View { user_id, on }).await
        }
        Request::HangUp => session.command(Command::HangUp).await,
        Request::Mute { on } => session.command(Command::Mute(on)).await,
        Request::Camera { name } => session.switch_camera(&name).await,
        Request::Snapshot { path, camera } => session.snapshot(camera.as_deref(), &path).await,
        Request::Message { text } => session.send(Outgoing::Text(text)).await,
        Request::Custom { cmd, msg, to } => {
            let message = match to {
                Some(to) => Outgoing::C2c { to, cmd, msg },
                None => Outgoing::Custom { cmd, msg },
            };
            session.send(message).await
        }
    };
    match done {
        Ok(()) => Answer {
            ok: true,
            ..Answer::default()
        },
        Err(error) => failed(error.to_string()),
    }
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
