//! The room server: arguments, configuration, log, server, until it is told to stop.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use rtckiosk::config::ServerConfig;
use rtckiosk::operator::{self, Command};
use rtckiosk::process::{journal, memory, open_files, output};
use rtckiosk::server::{RoomServer, Settings};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Takes a fifth less memory for a member than the C library's (docs/decisions/0021).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// RTCRoom room server with an embedded RTMP relay.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Configuration; without it, server and relay serve this machine only
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Configuration of the commands that need one.
const CONFIG: &str = "/etc/rtckiosk/rtcroomd.toml";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = arguments.config.as_deref();
    let done = match &arguments.command {
        Some(command) => command.run(config.unwrap_or(Path::new(CONFIG))),
        // These errors name their causes themselves.
        None => run(config)
            .map(|()| ExitCode::SUCCESS)
            .map_err(|error| anyhow::anyhow!("{error}")),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rtcroomd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Option<&Path>) -> anyhow::Result<()> {
    memory::give_back_at_once();
    let path = config;
    let config = path.map_or_else(|| Ok(ServerConfig::default()), operator::read)?;
    journal::start(config.log);
    log::info!("this server is {}", config.access);
    for warning in config.warnings() {
        log::warn!("{warning}");
    }
    if let Some(path) = path {
        operator::warn_about_secrets(path, &config);
    }
    let settings = Settings::load(&config)?;
    let wanted = settings.open_files();
    let files = open_files::raise(wanted);
    if files < wanted {
        log::warn!(
            "{files} files may be open at once, http.max_connections and \
             relay.embedded.max_connections need {wanted}: raise the limit (LimitNOFILE=)"
        );
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let server = RoomServer::bind(settings).await?;
    if let Err(error) = output::print(&format!("listening on {}\n", server.addresses())) {
        log::warn!("standard output: {error}");
    }
    let handle = server.handle();
    let wait = async {
        loop {
            tokio::select! {
                _ = terminate.recv() => break log::info!("SIGTERM: stopping"),
                _ = interrupt.recv() => break log::info!("SIGINT: stopping"),
                _ = hangup.recv() => {
                    log::info!("SIGHUP: the certificate is read again");
                    handle.reload_certificate();
                }
            }
        }
        stop.cancel();
    };
    tokio::join!(server.run(stop.clone()), wait);
    log::info!("stopped");
    Ok(())
}
