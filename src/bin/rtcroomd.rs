//! The room server: arguments, configuration, log, server, until it is told to stop.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use rtckiosk::config::ServerConfig;
use rtckiosk::process::{journal, open_files, output};
use rtckiosk::server::{RoomServer, Settings};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// RTCRoom room server with an embedded RTMP relay.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Configuration; without it, server and relay serve this machine only
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.config.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rtcroomd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Option<&Path>) -> anyhow::Result<()> {
    let config = read(config)?;
    journal::start(config.log);
    for warning in config.warnings() {
        log::warn!("{warning}");
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

fn read(path: Option<&Path>) -> anyhow::Result<ServerConfig> {
    let Some(path) = path else {
        return Ok(ServerConfig::default());
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow::anyhow!("cannot read {name}: {error}"))?;
    ServerConfig::parse(&name, &text)
        .map_err(|wrong| anyhow::anyhow!("the configuration is wrong\n{wrong}"))
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
