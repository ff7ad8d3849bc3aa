//! The part of the self-test that opens the devices, as a call does.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use super::verdict::Check;
use crate::appliance::plan::Plan;
use crate::config::kiosk::{EchoControl, EncoderChoice};
use crate::display::{Display, DisplayConfig, Output};
use crate::media::codecs::{self, Kind};
use crate::media::{self, Capture, GroupStatus, MediaError, PushEvent, Speaker};
use crate::protocol::events::PushCode;

/// For camera and microphone to deliver.
const DEVICE_DEADLINE: Duration = Duration::from_secs(8);
/// Between two looks at them.
const LOOK: Duration = Duration::from_millis(20);
/// Reports of the devices that may wait.
const REPORTS: usize = 64;

const CAMERA: &str = "camera";
const MICROPHONE: &str = "microphone";

/// Codecs, camera, microphone, loudspeaker and echo control.
pub(super) async fn checks(plan: &Plan) -> Vec<Check> {
    if let Err(error) = media::init() {
        return vec![Check::failure("media", error.to_string())];
    }
    let settings = &plan.session;
    let codecs = codecs::finished(settings.shape()).await;
    let codec = |kind: Kind| {
        let verdict = codecs.verdict(kind, &settings.video.encoder);
        Check::needed(kind.name(), verdict)
    };
    let mut checks: Vec<_> = Kind::ALL.into_iter().map(codec).collect();
    checks.extend(capture(plan).await);
    checks.push(speaker(plan).await);
    checks.push(echo(settings.capture.voice.echo));
    checks
}

/// Camera and microphone: with one of them a call can be made.
async fn capture(plan: &Plan) -> Vec<Check> {
    let (events, mut reports) = mpsc::channel(REPORTS);
    let started = Instant::now();
    match Capture::start(plan.session.capture.clone(), events).await {
        Ok(capture) => {
            // What is not there then is told in its status.
            let cameras = plan.session.capture.cameras.len();
            let _ = timeout(DEVICE_DEADLINE, settled(&capture, cameras)).await;
            let after = started.elapsed().as_millis();
            let cameras = capture.cameras().status();
            let picture = |from: &str| format!("{from}, picture after {after} ms");
            let mut checks = vec![line(CAMERA, &cameras, picture)];
            checks.extend(own_h264(&cameras, &plan.session.video.encoder));
            let microphone = capture.microphone();
            checks.push(line(MICROPHONE, &microphone, |from| {
                format!("open, {from}")
            }));
            capture.stop().await;
            checks
        }
        Err(error @ MediaError::BadSource { .. }) => {
            vec![Check::failure("source description", error.to_string())]
        }
        Err(error) => {
            let microphone = failure(&mut reports, PushCode::OpenMicFail);
            let silent = || "it does not open".to_owned();
            vec![
                Check::failure(CAMERA, error.to_string()),
                Check::failure(MICROPHONE, microphone.unwrap_or_else(silent)),
            ]
        }
    }
}

/// Until it is known of camera and microphone whether they deliver.
async fn settled(capture: &Capture, cameras: usize) {
    let known =
        |line: &GroupStatus, devices: usize| line.live.is_some() || line.faults.len() == devices;
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        let camera = capture.cameras().status();
        if known(&camera, cameras) && known(&capture.microphone(), 1) {
            return;
        }
    }
}

/// One kind of device: the one that is wanted delivers, or another one stands in, or none does.
fn line(name: &'static str, status: &GroupStatus, fine: impl Fn(&str) -> String) -> Check {
    let fault = || match status.faults.get(&status.wanted) {
        Some(fault) => fault.clone(),
        None => format!("nothing came within {} s", DEVICE_DEADLINE.as_secs()),
    };
    match &status.live {
        Some(live) if *live == status.wanted => Check::ok(name, fine(live)),
        Some(live) => Check::warning(name, format!("{live} stands in: {}", fault())),
        None => Check::warning(name, fault()),
    }
}

/// Whether the H.264 that the camera makes itself is used.
fn own_h264(cameras: &GroupStatus, choice: &EncoderChoice) -> Option<Check> {
    const NAME: &str = "camera's own H.264";
    let own = cameras.own_h264.get(&cameras.wanted)?.clone();
    let refused = own.starts_with("refused");
    Some(if refused && *choice == EncoderChoice::Camera {
        Check::warning(NAME, own)
    } else {
        Check::ok(NAME, own)
    })
}

/// The message of a report with this code, among those that wait.
fn failure(reports: &mut mpsc::Receiver<PushEvent>, code: PushCode) -> Option<String> {
    std::iter::from_fn(|| reports.try_recv().ok())
        .find(|event| event.code == code)
        .map(|event| event.message)
}

/// The loudspeaker; a call waits for one that is not there.
async fn speaker(plan: &Plan) -> Check {
    match Speaker::start(plan.session.speaker.clone()).await {
        Ok(speaker) => {
            speaker.stop().await;
            Check::ok("speaker", "open")
        }
        Err(error) => Check::warning("speaker", error.to_string()),
    }
}

/// Measures against the echo.
fn echo(wanted: EchoControl) -> Check {
    const NAME: &str = "echo";
    match (wanted, media::echo::probe()) {
        (EchoControl::Off, _) => Check::ok(NAME, "left alone, as configured"),
        (EchoControl::HalfDuplex, _) => Check::ok(NAME, "half duplex, as configured"),
        (EchoControl::Cancel, Ok(())) => Check::ok(NAME, "is cancelled"),
        (EchoControl::Cancel, Err(error)) => Check::warning(NAME, format!("half duplex: {error}")),
    }
}

/// Opens the screen for a moment.
pub(super) async fn screen(config: Option<DisplayConfig>) -> Check {
    const NAME: &str = "screen";
    let Some(config) = config else {
        return Check::ok(NAME, "none");
    };
    let opened = tokio::task::spawn_blocking(move || {
        let display = Display::start(config)?;
        let output = display.handle().output().borrow().clone();
        display.stop();
        Ok::<_, crate::display::DisplayError>(output)
    });
    match opened.await {
        Ok(Ok(Output::Headless)) => Check::ok(NAME, "none, as configured"),
        Ok(Ok(Output::NoDesktop(reason))) => Check::warning(NAME, reason),
        Ok(Ok(Output::Failed(reason))) => Check::failure(NAME, reason),
        Ok(Ok(Output::Window | Output::Closed)) => Check::ok(NAME, "a window opens"),
        Ok(Err(error)) => Check::failure(NAME, error.to_string()),
        Err(error) => Check::failure(NAME, error.to_string()),
    }
}
