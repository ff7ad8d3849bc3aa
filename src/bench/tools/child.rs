//! Child processes that never outlive this one.

use std::ffi::OsStr;
use std::process::Stdio;

use tokio::process::Command;

/// A command whose process is killed when its handle is dropped, and when this process ends in
/// whatever way. It has no input, and its output is dropped.
pub(crate) fn killed_with_us(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .arg(program)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}
