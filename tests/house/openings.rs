//! Openings of files and comments, and names of files and types.

use std::collections::{BTreeMap, HashSet};

use crate::house::House;
use crate::source::{Finding, Source};

const QUESTION_WORDS: [&str; 9] = [
    "how", "what", "when", "where", "which", "who", "whom", "whose", "why",
];
/// Files of one name in one room, at most.
const SAME_NAME: usize = 2;

/// Files that do not say first what they are for.
pub(crate) fn without_purpose(sources: &[Source]) -> Vec<Finding> {
    let silent = sources
        .iter()
        .filter(|source| !source.text.starts_with("//! "));
    silent
        .map(|source| Finding::new(source, 1, "it does not open with `//!`"))
        .collect()
}

/// Documentation that opens with a question word.
pub(crate) fn questions(sources: &[Source]) -> Vec<Finding> {
    let findings = sources.iter().flat_map(|source| {
        let first = first_lines(&source.text);
        let asking = first.into_iter().filter(|(_, text)| is_question(text));
        asking.map(move |(line, text)| Finding::new(source, line, format!("a question: {text}")))
    });
    findings.collect()
}

/// The first line of each block of documentation, with its number.
fn first_lines(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut before = None;
    for (index, line) in text.lines().enumerate() {
        let mark = ["///", "//!"]
            .into_iter()
            .find(|mark| line.trim_start().starts_with(mark));
        if mark.is_some() && mark != before {
            found.push((index + 1, line.trim()));
        }
        before = mark;
    }
    found
}

fn is_question(line: &str) -> bool {
    let text = line.trim_start_matches(['/', '!', ' ', '*', '`', '"']);
    let word: String = text.chars().take_while(|c| c.is_alphabetic()).collect();
    QUESTION_WORDS.contains(&word.to_lowercase().as_str())
}

/// Modules whose file stands beside their folder instead of in it.
pub(crate) fn beside_their_folder(sources: &[Source]) -> Vec<Finding> {
    let folders: HashSet<&str> = sources
        .iter()
        .flat_map(|source| around(&source.path))
        .collect();
    let is_beside = |source: &&Source| {
        source
            .path
            .strip_suffix(".rs")
            .is_some_and(|stem| folders.contains(stem))
    };
    let findings = sources.iter().filter(is_beside);
    findings
        .map(|source| Finding::new(source, 1, "it belongs into its folder, as mod.rs"))
        .collect()
}

/// The folders that a file is in.
fn around(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

/// Names of files that a room has three times.
pub(crate) fn same_file_names(house: &House) -> Vec<Finding> {
    let mut files: BTreeMap<(&str, &str), Vec<&Source>> = BTreeMap::new();
    for (_, file) in house.product() {
        let name = file.source.file_name();
        if !["mod.rs", "tests.rs"].contains(&name) {
            files
                .entry((file.room(), name))
                .or_default()
                .push(&file.source);
        }
    }
    let often = files.into_iter().filter(|(_, same)| same.len() > SAME_NAME);
    let findings = often.map(|((room, name), same)| {
        let paths: Vec<&str> = same.iter().map(|each| each.path.as_str()).collect();
        let message = format!(
            "{room} has {} files {name}: {}",
            same.len(),
            paths.join(", ")
        );
        Finding::new(same[0], 1, message)
    });
    findings.collect()
}

/// Types that are called `Report` though their room has one already.
pub(crate) fn more_reports(house: &House) -> Vec<Finding> {
    let mut rooms = HashSet::new();
    let mut findings = Vec::new();
    for (_, file) in house.product() {
        let reports = file
            .definitions
            .iter()
            .filter(|each| each.is_type && each.name == "Report");
        for report in reports {
            if !rooms.insert(file.room().to_owned()) {
                let message = format!("{} has more than one type `Report`", file.room());
                findings.push(Finding::new(&file.source, report.line, message));
            }
        }
    }
    findings
}
