//! Follows a path to the file that defines what it names, through every re-export on the way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::facts::{Binding, File, Form, Names, joined};

/// All modules of the house, by their paths from the root of the crate.
#[derive(Default)]
pub(crate) struct Modules(HashMap<Names, Module>);

/// The names that a module knows.
#[derive(Default)]
struct Module {
    file: usize,
    definitions: HashSet<String>,
    /// Names that `use` has brought in, with what they stand for.
    imported: Vec<(String, Names)>,
    everything_of: Vec<Names>,
}

/// The place that a path leads to.
pub(crate) struct Target {
    /// The file that defines it.
    pub(crate) file: usize,
    /// The files whose re-exports lead there.
    pub(crate) through: Vec<usize>,
    /// Set when it is a module.
    pub(crate) module: Option<Names>,
}

impl Modules {
    pub(crate) fn of(files: &[Arc<File>]) -> Self {
        let mut modules = Self::default();
        for (index, file) in files.iter().enumerate() {
            modules.enter(index, file);
        }
        modules
    }

    fn enter(&mut self, index: usize, file: &File) {
        for module in file.inner_modules.iter().chain([&file.module]) {
            self.entry(module).file = index;
        }
        for definition in &file.definitions {
            let module = self.entry(&definition.module);
            module.definitions.insert(definition.name.clone());
        }
        for mention in &file.mentions {
            let Form::Use { binds, .. } = &mention.form else {
                continue;
            };
            let (module, path) = (self.entry(&mention.module), mention.path.clone());
            match binds {
                Binding::Name(name) => module.imported.push((name.clone(), path)),
                Binding::Everything => module.everything_of.push(path),
            }
        }
    }

    fn entry(&mut self, module: &Names) -> &mut Module {
        self.0.entry(module.clone()).or_default()
    }

    /// The place that a path leads to that is written in this module; `None` outside the crate.
    pub(crate) fn resolve(&self, from: &[String], path: &[String]) -> Option<Target> {
        let tried = HashSet::new();
        Search {
            modules: self,
            tried,
        }
        .resolve(from, path)
    }
}

/// One path on its way.
struct Search<'a> {
    modules: &'a Modules,
    /// Names that were looked for in modules: re-exports may lead round in a ring.
    tried: HashSet<(Names, String)>,
}

impl Search<'_> {
    fn resolve(&mut self, from: &[String], path: &[String]) -> Option<Target> {
        let (start, rest) = beginning(from, path)?;
        let found = self.walk(&start, rest);
        if rest.len() == path.len() {
            return found;
        }
        // A name that only a macro makes known.
        found.or_else(|| self.inside(&start))
    }

    /// The place of something that this module defines.
    fn inside(&self, module: &[String]) -> Option<Target> {
        let file = self.modules.0.get(module)?.file;
        Some(Target {
            file,
            through: Vec::new(),
            module: None,
        })
    }

    fn walk(&mut self, module: &[String], path: &[String]) -> Option<Target> {
        let Some((name, rest)) = path.split_first() else {
            let target = self.inside(module)?;
            return Some(Target {
                module: Some(module.to_vec()),
                ..target
            });
        };
        let child = joined(module, &path[..1]);
        if self.modules.0.contains_key(&child) {
            return self.walk(&child, rest).or_else(|| self.inside(&child));
        }
        if self.modules.0.get(module)?.definitions.contains(name) {
            return self.inside(module);
        }
        let is_new = self.tried.insert((module.to_vec(), name.clone()));
        is_new.then(|| self.walk_imports(module, path)).flatten()
    }

    fn walk_imports(&mut self, module: &[String], path: &[String]) -> Option<Target> {
        let modules = self.modules;
        let here = modules.0.get(module)?;
        let mut named = here.imported.iter().filter(|(name, _)| *name == path[0]);
        let found =
            named.find_map(|(_, meaning)| self.resolve(module, &joined(meaning, &path[1..])));
        let found = found.or_else(|| {
            let mut all = here.everything_of.iter();
            all.find_map(|opened| {
                let opened = self.resolve(module, opened)?.module?;
                self.walk(&opened, path)
            })
        });
        found.map(|mut target| {
            target.through.push(here.file);
            target
        })
    }
}

/// Whether a path that begins so names its module by itself.
pub(crate) fn is_root(name: &str) -> bool {
    matches!(name, "crate" | "self" | "super" | "rtckiosk")
}

/// The module that a path starts in, and what is left of it: all of it when it starts with a
/// name that is known here.
fn beginning<'a>(from: &[String], path: &'a [String]) -> Option<(Names, &'a [String])> {
    let (first, rest) = path.split_first()?;
    let mut start = match first.as_str() {
        "rtckiosk" => return Some((Vec::new(), rest)),
        "crate" if from.first().is_some_and(|room| room == "bin") => from[..2].to_vec(),
        "crate" => Vec::new(),
        "self" | "super" => from.to_vec(),
        _ => return Some((from.to_vec(), path)),
    };
    let is_up = |name: &&String| matches!(name.as_str(), "self" | "super");
    let ups = path.iter().take_while(is_up);
    let skip = ups.clone().count().max(1);
    let supers = ups.filter(|name| *name == "super").count();
    start.truncate(start.len().checked_sub(supers)?);
    Some((start, &path[skip..]))
}
