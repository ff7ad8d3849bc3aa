//! Keeps the memory of the daemons flat, by settings that allocators read only at their start.
//!
//! Every call of a kiosk has some twenty threads of its own. The C library gives threads heaps of their
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

/// Read by the room server's allocator when it starts.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";

/// Starts this program anew, in the same process, with one heap, unless its heaps are set already.
pub fn use_one_heap() {
    start_anew(&[(HEAPS, "1"), (TRIM, "131072")]);
}

/// The same, so that freed memory goes back to the system at once: after many members came in at the
/// same time it was a quarter of all.
pub fn give_back_at_once() {
    start_anew(&[(PURGE_DELAY, "0")]);
}

fn start_anew(settings: &[(&str, &str)]) {
    if std::env::var_os(settings[0].0).is_some() {
        return;
    }
    let mut args = std::env::args_os();
    let name = args.next();
    let error = match std::env::current_exe() {
        Ok(program) => Command::new(program)
            .arg0(name.as_deref().unwrap_or(OsStr::new("rtckiosk")))
            .args(args)
            .envs(settings.iter().copied())
            .exec(),
        Err(error) => error,
    };
    // The log has not begun yet, and all but the memory works without.
    eprintln!("its memory will grow: this program cannot be started anew: {error}");
}
