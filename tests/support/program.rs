//! A program under test as a process of its own: started as a user would, watched, stopped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use super::{secrets, until};

pub(crate) const RTCKIOSK: &str = env!("CARGO_BIN_EXE_rtckiosk");
pub(crate) const RTCROOMD: &str = env!("CARGO_BIN_EXE_rtcroomd");

/// A running program; killed when dropped. Shows what it wrote when the test fails, which it does
/// if there is a secret in it.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    child: Child,
    out: PathBuf,
    err: PathBuf,
    folder: PathBuf,
}

impl Program {
    /// Starts it; what it writes goes to files in `folder`.
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> Self {
        let [out, err] = ["out", "err"].map(|kind| folder.join(format!("{name}.{kind}")));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} must be installed: {error}"));
        let name = name.to_owned();
        Self {
            name,
            child,
            out,
            err,
            folder: folder.to_owned(),
        }
    }

    /// Standard output so far.
    pub(crate) fn out(&self) -> String {
        read(&self.out)
    }

    /// Standard error so far.
    pub(crate) fn err(&self) -> String {
        read(&self.err)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([format!("-{signal}"), self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success(), "{} has gone", self.name);
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self, patience: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        until(&what, patience, || self.child.try_wait().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let state = self.child.try_wait();
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let (name, out, err) = (&self.name, tail(&self.out()), tail(&self.err()));
            eprintln!("--- {name} ({state:?}) wrote\n{out}\n--- and to its log\n{err}");
        } else {
            for text in [self.out(), self.err()] {
                secrets::none_in(&self.name, &text, &self.folder);
            }
        }
    }
}

/// Runs a program to its end, which must come within a minute.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.arg("60").arg(program).args(arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_ne!(output.status.code(), Some(124), "{arguments:?} hangs");
    output
}

/// The output of a finished program, standard error after standard output.
pub(crate) fn written(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
