//! Keeps the daemon's memory flat over many calls.
//!
//! Every call has some twenty threads of its own. The C library gives threads heaps of their
//! own, up to eight for each core, and what is freed in one is of no use to the others: after
//! sixty calls the daemon had twice the memory of the first. One heap costs no time that can be
//! measured, because streams keep their buffers in pools.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Read by the C library when a program starts, and at no other time.
const HEAPS: &str = "MALLOC_ARENA_MAX";
/// Bytes free at the end of the heap that go back to the system.
const TRIM: &str = "MALLOC_TRIM_THRESHOLD_";

/// Starts this program anew, in the same process, unless its heaps are set already.
pub fn use_one_heap() {
    if std::env::var_os(HEAPS).is_some() {
        return;
    }
    let mut args = std::env::args_os();
    let name = args.next();
    let error = match std::env::current_exe() {
        Ok(program) => Command::new(program)
            .arg0(name.as_deref().unwrap_or(OsStr::new("rtckiosk")))
            .args(args)
            .env(HEAPS, "1")
            .env(TRIM, "131072")
            .exec(),
        Err(error) => error,
    };
    // The log has not begun yet, and all but the memory works without.
    eprintln!("rtckiosk: its memory will grow: it cannot be started anew: {error}");
}
