//! The stamp of a file, by which a change since it was read is noticed.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Inode, size and time of change: another one means that the file was written.
pub(crate) type Stamp = Option<(u64, u64, i64, i64)>;

/// Takes the stamp of a file; `None` if there is no file.
pub(crate) fn stamp(path: &Path) -> Stamp {
    let data = std::fs::metadata(path).ok()?;
    Some((data.ino(), data.size(), data.mtime(), data.mtime_nsec()))
}
