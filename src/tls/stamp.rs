//! Whether a file was written since it was read.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells that a file was written: another inode, size or time of change.
pub(super) type Stamp = Option<(u64, u64, i64, i64)>;

/// Of the file as it is now; `None` if there is none.
pub(super) fn stamp(path: &Path) -> Stamp {
    let facts = std::fs::metadata(path).ok()?;
    Some((facts.ino(), facts.size(), facts.mtime(), facts.mtime_nsec()))
}
