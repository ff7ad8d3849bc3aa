//! The kiosk's command line: arguments, configuration, log, wiring.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rtckiosk::appliance::control::Request;
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
        order: Order,
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

#[derive(Subcommand)]
enum Order {
    /// Start a call.
    Call,
    /// Open a room and wait in it.
    Host,
    /// Enter the room of this id.
    Enter { room: String },
    /// End the call.
    Hangup,
    /// Switch the microphone off or on again.
    Mute {
        #[arg(value_enum)]
        muted: Switch,
    },
    /// Show the own picture or not; between calls for two minutes at most.
    Preview {
        #[arg(value_enum)]
        shown: Switch,
    },
    /// Play a member of the room or not.
    View {
        /// His user id, as `status` shows it.
        user: String,
        #[arg(value_enum)]
        played: Switch,
    },
    /// Take the picture from another camera of the configuration.
    Camera { name: String },
    /// Write what a camera sees now as a JPEG file.
    Snapshot {
        file: PathBuf,
        /// Another camera than the one in use.
        #[arg(long)]
        camera: Option<String>,
    },
    /// Send a text to the other members.
    Message { text: String },
    /// Send a command to the programs of the other members.
    Custom {
        cmd: String,
        msg: String,
        /// To this user alone, who need not be in the room.
        #[arg(long, value_name = "USER")]
        to: Option<String>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl From<Order> for Request {
    fn from(order: Order) -> Self {
        match order {
            Order::Call => Self::Call,
            Order::Host => Self::Host,
            Order::Enter { room } => Self::Enter { room },
            Order::Preview { shown } => Self::Preview {
                on: shown == Switch::On,
            },
            Order::View { user, played } => Self::View {
                user,
                on: played == Switch::On,
            },
            Order::Hangup => Self::HangUp,
            Order::Mute { muted } => Self::Mute {
                on: muted == Switch::On,
            },
            Order::Camera { name } => Self::Camera { name },
            // The daemon works in another directory. It says what is wrong with an empty path.
            Order::Snapshot { file, camera } => Self::Snapshot {
                path: std::path::absolute(&file).unwrap_or(file),
                camera,
            },
            Order::Custom { cmd, msg, to } => Self::Custom { cmd, msg, to },
            Order::Message { text } => Self::Message { text },
        }
    }
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
        Command::Ctl { file, order } => run::order(file.config.as_deref(), &order.into()),
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
