//! Requests to the session: one type for the command line, the control socket and the state
//! machine.

use std::path::PathBuf;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::{Deserialize, Serialize};

/// A request to the daemon: as JSON `{"command":"mute","on":true}`, on the command line
/// `rtckiosk ctl mute on`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
#[command(rename_all = "lower")]
pub enum Request {
    /// Answer the status; on the command line it is a command of its own.
    #[command(skip)]
    Status,
    /// Start a call.
    Call,
    /// Open a room and wait in it.
    Host,
    /// Enter the room of this id.
    Enter { room: String },
    /// End the call.
    HangUp,
    /// Switch the microphone off or on again.
    Mute {
        #[arg(value_name = "on|off", action = clap::ArgAction::Set, value_parser = on_or_off())]
        on: bool,
    },
    /// Show the self-view or not; between calls for two minutes at most.
    Preview {
        #[arg(value_name = "on|off", action = clap::ArgAction::Set, value_parser = on_or_off())]
        on: bool,
    },
    /// Play a member of the room or not.
    View {
        /// Their user id, as `status` shows it.
        user: String,
        #[arg(value_name = "on|off", action = clap::ArgAction::Set, value_parser = on_or_off())]
        on: bool,
    },
    /// Take the picture from another camera of the configuration.
    Camera { name: String },
    /// Write what a camera sees now as a JPEG file.
    Snapshot {
        /// In snapshot_dir of the configuration.
        #[arg(value_name = "FILE")]
        path: PathBuf,
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
}

fn on_or_off() -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["on", "off"]).map(|word| word == "on")
}
