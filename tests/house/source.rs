//! Source texts with their paths, as a tree on the disk has them or as a test makes them up.

use std::fs;
use std::path::Path;

/// The text of one file; its path begins at the root of the repository.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        Self { path, text }
    }

    pub(crate) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Something that the house does not allow, and its place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn new(source: &Source, line: usize, message: impl Into<String>) -> Self {
        let (path, message) = (source.path.clone(), message.into());
        Self {
            path,
            line,
            message,
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Every Rust file below this folder of the repository, in the order of their paths.
pub(crate) fn rust_files(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(folder, &mut found);
    found.sort_by(|a: &Source, b| a.path.cmp(&b.path));
    found
}

fn collect(folder: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(in_repository(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&path, found);
        } else if path.ends_with(".rs") {
            found.push(read(&path));
        }
    }
}

/// One file of the repository.
pub(crate) fn read(path: &str) -> Source {
    Source::new(path, fs::read_to_string(in_repository(path)).unwrap())
}

/// Whether the repository has a file or a folder of this path.
pub(crate) fn exists(path: &str) -> bool {
    in_repository(path).exists()
}

fn in_repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
