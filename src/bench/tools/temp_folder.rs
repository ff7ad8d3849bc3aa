//! A folder for the files of a benchmark.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A new folder, removed when dropped.
#[derive(Debug)]
pub(crate) struct TempFolder(PathBuf);

impl TempFolder {
    /// # Errors
    /// The folder is there already, or cannot be made.
    pub(crate) fn create() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("rtckiosk-bench-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            log::warn!("{} stays: {error}", self.0.display());
        }
    }
}
