//! The one directory that snapshots are written to: whoever may ask for one must not be able to write anywhere
//! else as the daemon.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The place of a snapshot: `path` in `dir`, which is made if there is none.
///
/// # Errors
/// The path leads out of the directory, also by a link; the words are for whoever asks.
pub(super) async fn resolve(dir: PathBuf, path: PathBuf) -> Result<PathBuf, String> {
    let inside = tokio::task::spawn_blocking(move || inside(&dir, &path));
    inside.await.unwrap_or_else(|error| Err(error.to_string()))
}

fn inside(dir: &Path, path: &Path) -> Result<PathBuf, String> {
    let failed =
        |what: &Path, error: &io::Error| format!("no snapshot (-2): {}: {error}", what.display());
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| failed(dir, &error))?;
    let dir = dir.canonicalize().map_err(|error| failed(dir, &error))?;
    let place = dir.join(path);
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
        return Err(format!(
            "no snapshot (-2): {}: must name a file",
            path.display()
        ));
    };
    let folder = folder
        .canonicalize()
        .map_err(|error| failed(folder, &error))?;
    if !folder.starts_with(&dir) {
        let (path, dir) = (path.display(), dir.display());
        return Err(format!(
            "no snapshot (-2): {path}: snapshots are written to snapshot_dir = \"{dir}\" alone"
        ));
    }
    Ok(folder.join(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_path_leads_out_of_the_directory() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let dir = root.join("snapshots");
        let resolve = |path: &str| inside(&dir, Path::new(path));
        assert_eq!(resolve("still.jpg"), Ok(dir.join("still.jpg")));
        std::fs::create_dir(dir.join("today")).unwrap();
        assert_eq!(resolve("today/1.jpg"), Ok(dir.join("today/1.jpg")));
        assert_eq!(resolve("today/../2.jpg"), Ok(dir.join("2.jpg")));
        let own = dir.join("3.jpg");
        assert_eq!(resolve(own.to_str().unwrap()), Ok(own.clone()));
        symlink(&root, dir.join("out")).unwrap();
        for bad in [
            "../x.jpg",
            "out/x.jpg",
            "/tmp/x.jpg",
            "/etc/passwd",
            "today/../../x.jpg",
        ] {
            let refused = resolve(bad).unwrap_err();
            assert!(refused.contains("snapshot_dir"), "{bad}: {refused}");
        }
        assert!(resolve("absent/x.jpg").unwrap_err().contains("absent"));
        assert!(resolve("").is_err() || resolve("..").is_err());
    }
}
