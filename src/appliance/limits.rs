//! What the kernel lets the daemon have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of files that may be open to what the system allows at most. The usual
/// 1024 do not last: GStreamer 1.22.0 forgets to close one file for each start of a V4L2 camera,
/// so a kiosk with a hundred calls a day would be deaf to new ones after ten days; systemd's most
/// of 524288 lasts for years.
pub(super) fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => log::debug!(from:? = current, to:? = maximum; "open files"),
        Err(error) => log::warn!(error:%; "no more than {current:?} files can be open"),
    }
}
