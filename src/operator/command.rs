//! The commands as the command line has them.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::check::{self, CheckArguments};
use super::init::{self, InitArguments};
use super::user::{self, UserCommand};

/// Commands of an operator.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a complete configuration with keys, certificates, an agent and a kiosk
    Init(InitArguments),
    /// Add users, sign for them, list and revoke them
    #[command(subcommand)]
    User(UserCommand),
    /// Check configuration, keys, ports and certificates
    Check(CheckArguments),
}

impl Command {
    /// Does it, with the configuration at `config` where one is needed.
    ///
    /// # Errors
    /// The reason, in words for the operator.
    pub fn run(&self, config: &Path) -> anyhow::Result<ExitCode> {
        match self {
            Self::Init(arguments) => init::run(arguments).map(|()| ExitCode::SUCCESS),
            Self::User(command) => user::run(command, config).map(|()| ExitCode::SUCCESS),
            Self::Check(arguments) => check::run(arguments, config),
        }
    }
}
