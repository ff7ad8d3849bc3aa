//! The commands of `rtckiosk` that work on one kiosk: daemon, agent, devices, check, status.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::control::{self, ControlServer, Request};
use super::kiosk::Kiosk;
use super::plan::Plan;
use super::{check, show};
use crate::config::KioskConfig;
use crate::media::devices;
use crate::process::{journal, memory, open_files, output};
use crate::session::Transition;

/// Read when no configuration file is named; its absence means the defaults.
const DEFAULT_FILE: &str = "/etc/rtckiosk/kiosk.toml";
/// For the runtime's own threads to end: a device driver may hang in one of them.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Reads a configuration file; without one named, the default file or the defaults.
fn config(file: Option<&Path>) -> Result<(PathBuf, KioskConfig)> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    if file.is_none() && !path.exists() {
        return Ok((PathBuf::from("defaults"), KioskConfig::default()));
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the configuration {} cannot be read", path.display()))?;
    let config = KioskConfig::parse(&path.display().to_string(), &text)
        .map_err(|wrong| anyhow!("the configuration is wrong\n{wrong}"))?;
    Ok((path.to_owned(), config))
}

/// The runtime of a program that has media threads of its own beside it.
pub(crate) fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("threads cannot be started")
}

/// Runs `work` to its end, and gives up on threads that hang afterwards.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = runtime()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(SHUTDOWN);
    done
}

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn stop_signal() -> Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = term.recv() => log::info!("stopping: SIGTERM"),
        _ = int.recv() => log::info!("stopping: SIGINT"),
    }
    Ok(())
}

fn start_log(path: &Path, config: &KioskConfig) {
    journal::start(config.log);
    let readable = check::readable_by_others(path, config);
    for warning in config.warnings().into_iter().chain(readable) {
        log::warn!("{warning}");
    }
}

/// `rtckiosk run`: the daemon.
///
/// # Errors
/// Whatever keeps the kiosk from starting.
pub fn daemon(file: Option<&Path>) -> Result<ExitCode> {
    memory::use_one_heap();
    let (file, config) = config(file)?;
    start_log(&file, &config);
    log::info!(config:? = file; "rtckiosk {} starts", env!("CARGO_PKG_VERSION"));
    // GStreamer 1.22.0 forgets to close one file for each start of a V4L2 camera, so a kiosk with
    // a hundred calls a day would be deaf to new ones after ten days with the usual 1024 files;
    // systemd's maximum of 524288 lasts for years.
    let files = open_files::raise(0);
    log::debug!(files; "open files");
    let plan = Plan::from(&config)?;
    block_on(async {
        let socket = ControlServer::bind(&control::socket(&plan.runtime_dir)).await?;
        let kiosk = Kiosk::start(plan).await?;
        let stop = CancellationToken::new();
        let answering = tokio::spawn(socket.run(kiosk.session(), stop.clone()));
        log::info!("ready");
        stop_signal().await?;
        stop.cancel();
        kiosk.stop().await;
        answering.await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// `rtckiosk agent`: opens a room, answers whoever comes, and prints what happens.
///
/// # Errors
/// Whatever keeps it from starting.
pub fn agent(file: Option<&Path>, name: Option<&str>) -> Result<ExitCode> {
    memory::use_one_heap();
    let (path, mut config) = config(file)?;
    if let Some(name) = name {
        config = config.with_name(name).map_err(anyhow::Error::msg)?;
    }
    start_log(&path, &config);
    let plan = Plan::from(&config)?.for_agent();
    block_on(async {
        let kiosk = Kiosk::start(plan).await?;
        tokio::select! {
            stopped = stop_signal() => stopped?,
            () = print_progress(&kiosk) => bail!("the session has stopped"),
        }
        kiosk.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Between two lines of figures.
const FIGURES_EVERY: Duration = Duration::from_secs(2);

/// Prints states as they come, and in a call what is seen and heard, one JSON object per line.
async fn print_progress(kiosk: &Kiosk) {
    let session = kiosk.session();
    let mut transitions = session.transitions();
    let mut figures = tokio::time::interval(FIGURES_EVERY);
    loop {
        tokio::select! {
            changed = transitions.changed() => {
                if changed.is_err() {
                    return;
                }
                let transition = transitions.borrow_and_update().clone();
                print_line(&serde_json::json!({ "session": transition }));
            }
            _ = figures.tick() => {
                let in_call = matches!(&*transitions.borrow(), Transition::InCall { members, .. }
                    if !members.is_empty());
                if in_call && let Ok(status) = session.status().await {
                    let uplink = status.uplink;
                    print_line(&serde_json::json!({
                        "uplink": uplink, "downlinks": status.downlinks }));
                }
            }
        }
    }
}

/// One line of JSON. An agent goes on in silence when it cannot be written.
fn print_line(line: &serde_json::Value) {
    if let Err(error) = output::print(&format!("{line}\n")) {
        log::debug!("standard output: {error}");
    }
}

/// Prints the result of a command, as JSON or as text for a person.
fn print(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
    let text = if json {
        serde_json::to_string_pretty(value)? + "\n"
    } else {
        text()
    };
    output::print(&text).context("standard output")
}

/// `rtckiosk devices`.
///
/// # Errors
/// When the list cannot be written.
pub fn devices(json: bool) -> Result<ExitCode> {
    journal::start(log::LevelFilter::Warn);
    let list = devices::list();
    print(json, &list, || show::devices(&list))?;
    Ok(ExitCode::SUCCESS)
}

/// `rtckiosk check`: exit code 0 only if a call could be made; if `strict`, only without warnings.
///
/// # Errors
/// When the result cannot be written.
pub fn check(file: Option<&Path>, json: bool, strict: bool) -> Result<ExitCode> {
    journal::start(log::LevelFilter::Error);
    let test = match config(file) {
        Ok((path, config)) => block_on(async { Ok(check::self_test(&path, &config).await) })?,
        Err(error) => check::SelfTest::bad_config(&format!("{error:#}")),
    };
    print(json, &test, || format!("{test}\n"))?;
    Ok(if test.passes(strict) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// `rtckiosk status`.
///
/// # Errors
/// When no daemon answers.
pub fn status(file: Option<&Path>, json: bool) -> Result<ExitCode> {
    let (_, config) = config(file)?;
    let path = control::socket(&config.runtime_dir);
    let answer = block_on(async { Ok(control::ask(&path, &Request::Status).await?) })?;
    let status = answer
        .status
        .context("the daemon answered without a status")?;
    print(json, &status, || show::status(&status))?;
    Ok(ExitCode::SUCCESS)
}

/// `rtckiosk ctl`.
///
/// # Errors
/// When no daemon answers, or it refuses.
pub fn ctl(file: Option<&Path>, request: &Request) -> Result<ExitCode> {
    let (_, config) = config(file)?;
    let path = control::socket(&config.runtime_dir);
    block_on(async { Ok(control::ask(&path, request).await?) })?;
    Ok(ExitCode::SUCCESS)
}
