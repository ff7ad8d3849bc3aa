//! All files of `src` together: which of them reaches which other, and by which path.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::facts::{File, Form, Mention, Names};
use crate::reader;
use crate::resolve::{Modules, is_root};
use crate::source::Source;

pub(crate) struct House {
    pub(crate) files: Vec<Arc<File>>,
    /// Modules of the product that have others inside of them in files of their own.
    pub(crate) folders: BTreeSet<Names>,
    /// Every path of the product that leads from one of our files to another.
    pub(crate) references: Vec<Reference>,
    modules: Modules,
    /// Files that are only there in tests.
    tests: HashSet<usize>,
}

/// A path in one file that leads to another.
pub(crate) struct Reference {
    pub(crate) from: usize,
    pub(crate) line: usize,
    /// The path as it is written.
    pub(crate) path: String,
    pub(crate) is_export: bool,
    /// The file that defines what the path names.
    pub(crate) target: usize,
    /// The files whose re-exports lead there.
    pub(crate) through: Vec<usize>,
}

impl House {
    pub(crate) fn read(sources: Vec<Source>) -> Self {
        let files = sources.into_iter().map(|each| Arc::new(reader::read(each)));
        Self::of(files.collect())
    }

    /// This house with these files instead of those of the same path, or added.
    pub(crate) fn with(&self, changes: Vec<Source>) -> Self {
        let mut files = self.files.clone();
        files.retain(|file| changes.iter().all(|each| each.path != file.source.path));
        files.extend(changes.into_iter().map(|each| Arc::new(reader::read(each))));
        Self::of(files)
    }

    fn of(files: Vec<Arc<File>>) -> Self {
        let mut house = Self {
            tests: tests(&files),
            modules: Modules::of(&files),
            files,
            folders: BTreeSet::new(),
            references: Vec::new(),
        };
        let inside = house.product().map(|(_, file)| &file.module);
        let around = inside.flat_map(|module| (0..module.len()).map(|end| module[..end].to_vec()));
        house.folders = around.collect();
        house.references = house.find_references();
        house
    }

    /// The files of the product, with their numbers.
    pub(crate) fn product(&self) -> impl Iterator<Item = (usize, &File)> {
        let all = self.files.iter().enumerate();
        all.filter(|(index, _)| !self.tests.contains(index))
            .map(|(index, file)| (index, &**file))
    }

    fn find_references(&self) -> Vec<Reference> {
        let mentions = self.product().flat_map(|(from, file)| {
            file.mentions
                .iter()
                .filter_map(move |mention| self.reference(from, mention))
        });
        let mut seen = HashSet::new();
        let key = |each: &Reference| (each.from, each.line, each.target, each.through.clone());
        mentions.filter(|each| seen.insert(key(each))).collect()
    }

    fn reference(&self, from: usize, mention: &Mention) -> Option<Reference> {
        if matches!(mention.form, Form::Inline) && !self.leads_on(mention) {
            return None;
        }
        let mut target = self.modules.resolve(&mention.module, &mention.path)?;
        target.through.retain(|file| *file != from);
        let elsewhere = target.file != from || !target.through.is_empty();
        elsewhere.then(|| Reference {
            from,
            line: mention.line,
            path: mention.path.join("::"),
            is_export: matches!(mention.form, Form::Use { exported: true, .. }),
            target: target.file,
            through: target.through,
        })
    }

    /// Whether an inline path says more than the `use` of its first name.
    fn leads_on(&self, mention: &Mention) -> bool {
        let first = &mention.path[..1];
        let target = self.modules.resolve(&mention.module, first);
        is_root(&first[0]) || target.is_some_and(|target| target.module.is_some())
    }
}

/// The files that are inside of a module for tests.
fn tests(files: &[Arc<File>]) -> HashSet<usize> {
    let modules = files.iter().flat_map(|file| &file.test_modules);
    let modules: HashSet<&[String]> = modules.map(Vec::as_slice).collect();
    let is_test =
        |module: &[String]| (1..=module.len()).any(|end| modules.contains(&module[..end]));
    let all = files.iter().enumerate();
    let tests = all.filter(|(_, file)| is_test(&file.module));
    tests.map(|(index, _)| index).collect()
}
