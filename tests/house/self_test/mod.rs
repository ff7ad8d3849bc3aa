//! Tests of the checks themselves: what they must find is put into a small tree that is made up,
//! and into the real one as it would stand there.

mod floors;
mod made_up;
mod rest;
mod rings;
mod rooms;

use crate::house::House;
use crate::source::{Finding, Source};

/// Expects one finding more than before, in this line, that has these words in it.
#[track_caller]
fn expect_new(before: &[Finding], after: &[Finding], path: &str, line: usize, words: &[&str]) {
    let new: Vec<&Finding> = after.iter().filter(|each| !before.contains(each)).collect();
    let listed: Vec<String> = new.iter().map(ToString::to_string).collect();
    let is_it = |each: &&Finding| {
        each.path == path
            && each.line == line
            && words.iter().all(|word| each.message.contains(word))
    };
    assert_eq!(
        new.iter().filter(|each| is_it(each)).count(),
        1,
        "{listed:#?}"
    );
}

/// The house with a line added to one of its files, and the number of that line.
fn with_line(house: &House, path: &str, line: &str) -> (House, usize) {
    let file = house
        .files
        .iter()
        .find(|file| file.source.path == path)
        .unwrap();
    let text = format!("{}\n{line}\n", file.source.text.trim_end());
    let number = text.lines().count();
    (house.with(vec![Source::new(path, text)]), number)
}

/// The first file of the product below this folder that is no `mod.rs`.
fn a_file_of<'a>(house: &'a House, folder: &str) -> &'a str {
    let mut paths = house.product().map(|(_, file)| file.source.path.as_str());
    let is_it = |path: &&str| path.starts_with(folder) && !path.ends_with("/mod.rs");
    paths.find(is_it).unwrap()
}
