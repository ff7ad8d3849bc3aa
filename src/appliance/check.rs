//! The self-test behind `rtckiosk check`: could a call be made now?

use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::Url;

use super::plan::Plan;
use crate::config::kiosk::Credentials;
use crate::config::kiosk::EchoControl;
use crate::config::kiosk::KioskConfig;
use crate::display::{Display, DisplayConfig, DisplayError, Output};
use crate::media::codecs::{self, Kind};
use crate::media::{self, Capture, PushEvent, Speaker};
use crate::protocol::events::PushCode;
use crate::room::RoomSession;
use crate::tls::{self, ClientTls};

/// For the first picture of the camera.
const PICTURE_DEADLINE: Duration = Duration::from_secs(8);
/// For a connection to the relay.
const RELAY_DEADLINE: Duration = Duration::from_secs(3);
/// Port of RTMP, and of RTMPS and HTTPS, where a URL has none.
const RTMP_PORT: u16 = 1935;
const TLS_PORT: u16 = 443;
/// Days before its end in which a certificate should have been renewed.
const RENEWAL: u64 = 14;

/// One line of the self-test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub ok: bool,
    /// What was found, or what is wrong.
    pub detail: String,
}

/// The whole self-test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SelfTest {
    /// A call could be made.
    pub ok: bool,
    pub checks: Vec<Check>,
}

impl SelfTest {
    fn new(checks: Vec<Check>) -> Self {
        Self {
            ok: checks.iter().all(|check| check.ok),
            checks,
        }
    }

    /// A self-test that ended at the configuration.
    #[must_use]
    pub fn bad_config(reason: &str) -> Self {
        Self::new(vec![Check {
            name: "config",
            ok: false,
            detail: reason.to_owned(),
        }])
    }
}

impl std::fmt::Display for SelfTest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for Check { name, ok, detail } in &self.checks {
            writeln!(f, "{} {name}: {detail}", if *ok { "ok  " } else { "FAIL" })?;
        }
        f.write_str(if self.ok {
            "a call can be made"
        } else {
            "no call can be made"
        })
    }
}

fn check(name: &'static str, found: Result<String, String>) -> Check {
    let ok = found.is_ok();
    Check {
        name,
        ok,
        detail: found.unwrap_or_else(|reason| reason),
    }
}

/// Runs the self-test with a valid configuration; takes up to 20 s where much is broken.
pub async fn self_test(file: &Path, config: &KioskConfig) -> SelfTest {
    let mut checks = vec![check("config", Ok(format!("{} is valid", file.display())))];
    checks.extend(
        config
            .warnings()
            .into_iter()
            .map(|warning| check("config", Ok(warning))),
    );
    let plan = match Plan::from(config) {
        Ok(plan) => plan,
        Err(error) => {
            checks.push(check("tls", Err(error.to_string())));
            return SelfTest::new(checks);
        }
    };
    match media::init() {
        Err(error) => checks.push(check("media", Err(error.to_string()))),
        Ok(()) => checks.extend(media_checks(&plan).await),
    }
    checks.push(check("screen", screen(plan.display.clone()).await));
    checks.extend(server_checks(&plan).await);
    SelfTest::new(checks)
}

/// Opens the screen for a moment.
async fn screen(config: Option<DisplayConfig>) -> Result<String, String> {
    let Some(config) = config else {
        return Ok("none".to_owned());
    };
    let opened = tokio::task::spawn_blocking(move || {
        let display = Display::start(config)?;
        let output = display.handle().output().borrow().clone();
        display.stop();
        Ok(output)
    });
    match opened.await.map_err(|error| error.to_string())? {
        Ok(Output::Headless) => Ok("none, as configured or for want of a desktop".into()),
        Ok(Output::Failed(reason)) => Err(reason),
        Ok(Output::Window | Output::Closed) => Ok("a window opens".into()),
        Err(error) => Err(DisplayError::to_string(&error)),
    }
}

async fn media_checks(plan: &Plan) -> Vec<Check> {
    let settings = plan.session.clone();
    let echo = echo(settings.capture.voice.echo);
    let codecs = codecs::finished(settings.shape()).await;
    let codec = |kind: Kind| check(kind.name(), codecs.verdict(kind, &settings.video.encoder));
    let mut checks: Vec<_> = Kind::ALL.into_iter().map(codec).collect();
    let (events, mut reports) = mpsc::channel(64);
    let started = Instant::now();
    match Capture::start(settings.capture, events).await {
        Err(error) => checks.push(check("camera", Err(error.to_string()))),
        Ok(capture) => {
            let camera = timeout(PICTURE_DEADLINE, first_picture(&mut reports)).await;
            let camera = match camera {
                Ok(Ok(())) => Ok(format!(
                    "picture after {} ms",
                    started.elapsed().as_millis()
                )),
                Ok(Err(reason)) => Err(reason),
                Err(_) => Err(format!(
                    "no picture within {} s",
                    PICTURE_DEADLINE.as_secs()
                )),
            };
            checks.push(check("camera", camera));
            checks.extend(own_h264(&capture));
            capture.stop().await;
            let mic = failure(&mut reports, PushCode::OpenMicFail);
            checks.push(check("microphone", mic.map_or(Ok("open".to_owned()), Err)));
        }
    }
    let speaker = match Speaker::start(settings.speaker).await {
        Ok(speaker) => {
            speaker.stop().await;
            Ok("open".to_owned())
        }
        Err(error) => Err(error.to_string()),
    };
    checks.push(check("speaker", speaker));
    checks.push(check("echo", Ok(echo)));
    checks
}

/// Whether the H.264 that the camera makes itself is used; a call can be made in any case.
fn own_h264(capture: &Capture) -> Option<Check> {
    let status = capture.cameras().status();
    let own = status.own_h264.get(&status.wanted)?;
    Some(check("camera's own H.264", Ok(own.clone())))
}

/// What is done against the echo; a call can be made in any case.
fn echo(wanted: EchoControl) -> String {
    match (wanted, media::echo::probe()) {
        (EchoControl::Off, _) => "left alone, as configured".to_owned(),
        (EchoControl::HalfDuplex, _) => "half duplex, as configured".to_owned(),
        (EchoControl::Cancel, Ok(())) => "is cancelled".to_owned(),
        (EchoControl::Cancel, Err(error)) => format!("half duplex: {error}"),
    }
}

async fn first_picture(reports: &mut mpsc::Receiver<PushEvent>) -> Result<(), String> {
    while let Some(event) = reports.recv().await {
        match event.code {
            PushCode::FirstFrameAvailable => return Ok(()),
            PushCode::OpenCameraFail | PushCode::CameraOccupy => return Err(event.message),
            PushCode::OpenMicFail => log::warn!("{}", event.message),
            _ => {}
        }
    }
    Err("capture ended".into())
}

/// The message of a report with this code, among those that wait.
fn failure(reports: &mut mpsc::Receiver<PushEvent>, code: PushCode) -> Option<String> {
    std::iter::from_fn(|| reports.try_recv().ok())
        .find(|event| event.code == code)
        .map(|event| event.message)
}

async fn server_checks(plan: &Plan) -> Vec<Check> {
    let mut checks = Vec::new();
    let url = &plan.room_url;
    if url.scheme() == "https" {
        let session = tls_session(&plan.room_tls, url).await;
        checks.push(check("room server TLS", session));
        if checks.iter().any(|check| !check.ok) {
            return checks;
        }
    }
    let push_url = match login(plan).await {
        Ok(push_url) => push_url,
        Err(reason) => {
            checks.push(check("room server", Err(reason)));
            return checks;
        }
    };
    checks.push(check("room server", Ok(format!("{url} accepts us"))));
    let relay = relay(push_url.expose_secret(), &plan.session.relay_tls).await;
    checks.push(check("relay", relay));
    checks
}

/// Makes a TLS session, and says what was agreed on and how long the certificate lasts.
async fn tls_session(tls: &ClientTls, url: &Url) -> Result<String, String> {
    let (host, port) = (url.host_str().unwrap_or_default(), port(url));
    let stream = tls
        .connect(host, port)
        .await
        .map_err(|error| error.to_string())?;
    let session = stream.get_ref().1;
    let proof = match tls.is_insecure() {
        true => "NOT VERIFIED",
        false => "verified",
    };
    let agreed = tls::describe(session);
    let end = match tls::certificate_end(session) {
        Some((end, days)) if days < RENEWAL => format!(", certificate ends SOON, at {end}"),
        Some((end, days)) => format!(", certificate ends at {end}, in {days} days"),
        None => String::new(),
    };
    Ok(format!("{host}:{port} {proof}: {agreed}{end}"))
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
async fn login(plan: &Plan) -> Result<secrecy::SecretString, String> {
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
async fn relay(push_url: &str, tls: &ClientTls) -> Result<String, String> {
    let url = Url::parse(push_url).map_err(|error| format!("the push URL is none: {error}"))?;
    if url.scheme() == "rtmps" {
        return tls_session(tls, &url).await;
    }
    let (host, port) = (url.host_str().unwrap_or_default(), port(&url));
    match timeout(RELAY_DEADLINE, TcpStream::connect((host, port))).await {
        Ok(Ok(peer)) if peer.peer_addr().is_ok_and(|at| at.ip().is_loopback()) => {
            Ok(format!("{host}:{port} answers"))
        }
        Ok(Ok(_)) => Ok(format!(
            "{host}:{port} answers; plain RTMP, pictures and sound can be seen on the way"
        )),
        Ok(Err(error)) => Err(format!("{host}:{port}: {error}")),
        Err(_) => Err(format!("{host}:{port} does not answer")),
    }
}
