//! A still as a file: whole or not at all, for its owner only, and never over another file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::media::error::MediaError;

/// A reason for which there is no snapshot, with the SDK's number (`captureVideoSnapShot`).
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("no snapshot (-1): {0}")]
    NoPicture(#[from] MediaError),
    #[error("no snapshot (-1): it took more than {0} s")]
    TimedOut(u64),
    #[error("no snapshot (-2): {}: {reason}", path.display())]
    Path { path: PathBuf, reason: String },
    #[error("no snapshot (-3): {} exists already, and is not overwritten", .0.display())]
    Exists(PathBuf),
}

impl SnapshotError {
    /// -1 no picture, -2 the path cannot be used, -3 the file exists.
    #[must_use]
    pub const fn code(&self) -> i32 {
        match self {
            Self::NoPicture(_) | Self::TimedOut(_) => -1,
            Self::Path { .. } => -2,
            Self::Exists(_) => -3,
        }
    }

    fn path(path: &Path, reason: impl Into<String>) -> Self {
        Self::Path {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    fn io(path: &Path, error: &io::Error) -> Self {
        Self::path(path, error.to_string())
    }
}

/// Whether a snapshot may be written there, as far as can be told before. Blocks.
pub(super) fn check(path: &Path) -> Result<(), SnapshotError> {
    if !path.is_absolute() {
        return Err(SnapshotError::path(path, "must be an absolute path"));
    }
    let (Some(folder), Some(_)) = (path.parent(), path.file_name()) else {
        return Err(SnapshotError::path(path, "must name a file"));
    };
    match fs::metadata(folder) {
        Ok(folder) if folder.is_dir() => {}
        Ok(_) => return Err(SnapshotError::path(path, "its folder is not a folder")),
        Err(error) => return Err(SnapshotError::path(path, format!("its folder: {error}"))),
    }
    match path.symlink_metadata() {
        Ok(_) => Err(SnapshotError::Exists(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(SnapshotError::io(path, &error)),
    }
}

/// Writes `bytes` under a name of its own in the same folder, and then gives it its name. Blocks.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = path.with_file_name(format!(".{name}.{:016x}", rand::random::<u64>()));
    let written = write_new(&hidden, bytes)
        .map_err(|error| SnapshotError::io(path, &error))
        .and_then(|()| publish(&hidden, path));
    if written.is_err() {
        // It may not even have been made.
        let _ = fs::remove_file(&hidden);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn publish(hidden: &Path, path: &Path) -> Result<(), SnapshotError> {
    let moved = renameat_with(CWD, hidden, CWD, path, RenameFlags::NOREPLACE);
    match moved.map_err(io::Error::from) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(SnapshotError::Exists(path.to_owned()))
        }
        // Some file systems know no such renaming; a hard link does not replace either.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            let linked = fs::hard_link(hidden, path).and_then(|()| fs::remove_file(hidden));
            linked.map_err(|error| SnapshotError::io(path, &error))
        }
        Err(error) => Err(SnapshotError::io(path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn writes_whole_files_for_the_owner_and_never_over_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("still.jpg");
        check(&path).expect("nothing is there");
        write(&path, b"first").expect("written");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for refused in [check(&path), write(&path, b"second")] {
            let refused = refused.expect_err("it exists");
            assert_eq!(refused.code(), -3, "{refused}");
        }
        assert_eq!(fs::read(&path).expect("there"), b"first");
        let names: Vec<_> = fs::read_dir(&folder).expect("a folder").flatten().collect();
        assert_eq!(names.len(), 1, "nothing is left over: {names:?}");
    }

    #[test]
    fn a_path_that_cannot_be_used_is_named_with_the_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("a file");
        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).expect("a link");
        for (path, code, reason) in [
            (PathBuf::from("still.jpg"), -2, "must be an absolute path"),
            (PathBuf::from("/"), -2, "must name a file"),
            (folder.path().join("none/still.jpg"), -2, "No such file"),
            (file.join("still.jpg"), -2, "its folder is not a folder"),
            (folder.path().join("link"), -3, "exists already"),
        ] {
            let error = check(&path).expect_err("cannot be used");
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(reason), "{error}");
        }
        let error = write(&folder.path().join("none/still.jpg"), b"").expect_err("no folder");
        assert_eq!(error.code(), -2, "{error}");
    }
}
