//! Text on standard output. `println!` panics when nobody reads it any more.

use std::io::{self, ErrorKind, Write};

/// Writes a text as it is. A reader who has heard enough, as in `rtckiosk devices | head -1`,
/// is no error.
///
/// # Errors
/// When it cannot be written for another reason, such as a full disk.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
