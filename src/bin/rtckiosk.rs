//! The kiosk's command line: arguments, configuration, log, wiring.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use rtckiosk::appliance::run;

/// Firmware of a video kiosk.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct ConfigFile {
    /// Configuration file [default: /etc/rtckiosk/kiosk.toml if there is one].
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon.
    Run(ConfigFile),
    /// Make a whole call on this machine: server, relay, agent and kiosk.
    #[cfg(feature = "server")]
    Demo(rtckiosk::demo::Options),
    /// Measure what the performance targets ask for.
    #[cfg(feature = "bench")]
    Bench {
        #[command(subcommand)]
        bench: rtckiosk::bench::Bench,
    },
    /// List cameras, microphones, speakers, displays, encoders and GPIO lines.
    Devices {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check the configuration and whether a call could be made.
    Check {
        #[command(flatten)]
        file: ConfigFile,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Let warnings fail too.
        #[arg(long)]
        strict: bool,
    },
    /// Ask the running daemon how it is.
    Status {
        #[command(flatten)]
        file: ConfigFile,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Command the running daemon.
    Ctl {
        #[command(flatten)]
        file: ConfigFile,
        #[command(subcommand)]
        request: rtckiosk::appliance::control::Request,
    },
    /// The other side without a screen: opens a room and answers.
    Agent {
        #[command(flatten)]
        file: ConfigFile,
        /// Name shown to the customer.
        #[arg(long)]
        name: Option<String>,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(file) => run::daemon(file.config.as_deref()),
        #[cfg(feature = "server")]
        Command::Demo(options) => rtckiosk::demo::run(&options),
        #[cfg(feature = "bench")]
        Command::Bench { bench } => rtckiosk::bench::run(&bench),
        Command::Devices { json } => run::devices(json),
        Command::Check { file, json, strict } => run::check(file.config.as_deref(), json, strict),
        Command::Status { file, json } => run::status(file.config.as_deref(), json),
        Command::Ctl { file, request } => run::ctl(file.config.as_deref(), &request),
        Command::Agent { file, name } => run::agent(file.config.as_deref(), name.as_deref()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rtckiosk: {error:#}");
            ExitCode::FAILURE
        }
    }
}
