//! The house is built as docs/architecture.md says: which file may import which, how long files
//! and functions are, and how they open. What is found wrong is all in the message of a failure.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod condition;
mod documents;
mod facts;
mod house;
mod imports;
mod openings;
mod reader;
mod resolve;
mod rings;
mod self_test;
mod sizes;
mod source;
mod tables;
mod tokens;

use std::sync::LazyLock;

use house::House;
use source::{Finding, Source};
use tables::{Floors, Rooms};

static HOUSE: LazyLock<House> = LazyLock::new(|| House::read(source::rust_files("src")));
static ARCHITECTURE: LazyLock<Source> = LazyLock::new(|| source::read("docs/architecture.md"));

fn expect_none(mut findings: Vec<Finding>) {
    findings.sort();
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} findings:\n{}\n",
        lines.len(),
        lines.join("\n")
    );
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    expect_none(imports::between_rooms(
        &HOUSE,
        &Rooms::read(&ARCHITECTURE.text),
    ));
}

#[test]
fn inside_rooms_imports_lead_to_lower_floors() {
    let floors = Floors::read_all(&ARCHITECTURE.text);
    assert!(
        !floors.is_empty(),
        "docs/architecture.md has no table of floors"
    );
    let findings = floors
        .iter()
        .flat_map(|floors| imports::between_floors(&HOUSE, floors));
    expect_none(findings.collect());
}

#[test]
fn nothing_is_imported_from_the_folder_around() {
    expect_none(imports::from_around(&HOUSE));
}

#[test]
fn no_folders_and_no_four_files_import_each_other_in_a_ring() {
    expect_none(rings::find(&HOUSE));
}

#[test]
fn files_and_functions_are_short() {
    expect_none(sizes::find(&HOUSE));
}

#[test]
fn files_open_with_their_purpose_and_comments_with_no_question() {
    let all = [source::rust_files("src"), source::rust_files("tests")].concat();
    let mut findings = openings::without_purpose(&all);
    findings.extend(openings::questions(&all));
    expect_none(findings);
}

#[test]
fn modules_have_one_style_and_names_that_tell_them_apart() {
    let all = [source::rust_files("src"), source::rust_files("tests")].concat();
    let mut findings = openings::beside_their_folder(&all);
    findings.extend(openings::same_file_names(&HOUSE));
    findings.extend(openings::more_reports(&HOUSE));
    expect_none(findings);
}

#[test]
fn paths_that_the_architecture_names_exist() {
    expect_none(documents::missing(&ARCHITECTURE, source::exists));
}
