//! Paths that documents name.

use crate::source::{Finding, Source};
use crate::tables::{Floors, quoted};

/// Paths between backticks that lead nowhere: neither from the root of the repository, nor from
/// `src`, nor from a folder whose floors are in the document.
pub(crate) fn missing(document: &Source, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let floors = Floors::read_all(&document.text);
    let folders = floors
        .iter()
        .map(|floors| format!("src/{}/", floors.folder.join("/")));
    let bases: Vec<String> = ["", "src/"]
        .map(str::to_owned)
        .into_iter()
        .chain(folders)
        .collect();
    let mut findings = Vec::new();
    for (index, line) in document.text.lines().enumerate() {
        let paths = quoted(line).into_iter().filter(|text| is_path(text));
        let lost = paths.filter(|path| !bases.iter().any(|base| exists(&format!("{base}{path}"))));
        findings.extend(
            lost.map(|path| Finding::new(document, index + 1, format!("there is no `{path}`"))),
        );
    }
    findings
}

fn is_path(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let names_file = [".rs", ".md", ".toml"]
        .iter()
        .any(|end| text.ends_with(end));
    text.chars().all(is_plain) && (text.contains('/') || names_file) && !text.starts_with('/')
}
