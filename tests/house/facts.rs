//! Facts about one file, as plain data: what it defines, what it names, how long it is.

use crate::source::Source;

/// A path of names without the colons: `crate::media::X` is `[crate, media, X]`.
pub(crate) type Names = Vec<String>;

/// The facts of one file.
pub(crate) struct File {
    pub(crate) source: Source,
    /// The path of its module, from the root of the crate and without `crate`.
    pub(crate) module: Names,
    /// Modules written out in the file.
    pub(crate) inner_modules: Vec<Names>,
    /// Modules that are only there in tests; some are files of their own.
    pub(crate) test_modules: Vec<Names>,
    pub(crate) definitions: Vec<Definition>,
    pub(crate) mentions: Vec<Mention>,
    pub(crate) functions: Vec<Function>,
    /// Lines of the file without its tests.
    pub(crate) lines: usize,
}

pub(crate) struct Definition {
    pub(crate) module: Names,
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) is_type: bool,
}

/// A path that a file has written down.
pub(crate) struct Mention {
    /// The module around it.
    pub(crate) module: Names,
    pub(crate) path: Names,
    pub(crate) line: usize,
    pub(crate) form: Form,
}

pub(crate) enum Form {
    Inline,
    /// `use`, and with a visibility a re-export.
    Use {
        binds: Binding,
        exported: bool,
    },
}

pub(crate) enum Binding {
    Name(String),
    /// Everything that the module offers: `*`.
    Everything,
}

pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// From the signature to the closing brace.
    pub(crate) lines: usize,
}

impl File {
    /// The folder or the file directly under `src` that this file belongs to.
    pub(crate) fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }
}

/// The module of the file with this path: `src/media/mod.rs` is `[media]`.
pub(crate) fn module_of(path: &str) -> Names {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let mut names: Names = path.split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|name| name == "mod") || names == ["lib"] {
        names.pop();
    }
    names
}

/// `first` and `second`, one after the other.
pub(crate) fn joined(first: &[String], second: &[String]) -> Names {
    [first, second].concat()
}
