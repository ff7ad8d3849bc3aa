//! Imports between rooms.

use super::{a_file_of, expect_new, made_up, with_line};
use crate::house::House;
use crate::imports::between_rooms;
use crate::source::Source;
use crate::tables::Rooms;
use crate::{ARCHITECTURE, HOUSE};

/// Wrong imports for a file of `media`: a `use`, an inline path, and a re-export, with the forms
/// that each can take.
const WRONG: [&str; 8] = [
    "use crate::server::serve;",
    "use crate::{server::serve as s};",
    "use crate::server::*;",
    "fn wrong() { crate::server::serve() }",
    "fn wrong() { println!(\"{:?}\", crate::server::serve()) }",
    "#[serde(with = \"crate::server::serve\")] struct Wrong;",
    "pub use crate::server::serve;",
    "pub(crate) use crate::server::serve as wrong;",
];

fn expect_wrong(house: &House, rooms: &Rooms, path: &str) {
    let before = between_rooms(house, rooms);
    for wrong in WRONG {
        let (changed, line) = with_line(house, path, wrong);
        let after = between_rooms(&changed, rooms);
        expect_new(
            &before,
            &after,
            path,
            line,
            &["media must not import server"],
        );
    }
}

#[test]
fn nothing_is_wrong_in_the_made_up_house() {
    assert_eq!(between_rooms(&made_up::house(), &made_up::rooms()).len(), 0);
}

#[test]
fn each_form_of_a_wrong_import_is_found() {
    let house = made_up::house();
    for path in ["src/media/capture/camera.rs", "src/media/mod.rs"] {
        expect_wrong(&house, &made_up::rooms(), path);
    }
}

#[test]
fn each_form_of_a_wrong_import_is_found_in_the_real_house() {
    let rooms = Rooms::read(&ARCHITECTURE.text);
    expect_wrong(&HOUSE, &rooms, a_file_of(&HOUSE, "src/media/"));
}

#[test]
fn relative_paths_lead_out_of_a_room_too() {
    let house = made_up::house();
    for wrong in [
        "use super::super::super::server::serve;",
        "use super::super::super as top;\nfn wrong() { top::server::serve() }",
    ] {
        let path = "src/media/uplink/push.rs";
        let (changed, line) = with_line(&house, path, wrong);
        let after = between_rooms(&changed, &made_up::rooms());
        expect_new(&[], &after, path, line, &["media must not import server"]);
    }
}

/// A room that passes on what another defines opens no way around the table.
#[test]
fn a_thing_that_is_passed_on_is_judged_by_the_room_that_defines_it() {
    let house = made_up::house();
    let (house, _) = with_line(&house, "src/words/mod.rs", "pub use crate::server::serve;");
    let path = "src/media/fault.rs";
    let before = between_rooms(&house, &made_up::rooms());
    let (changed, line) = with_line(&house, path, "use crate::words::serve;");
    let after = between_rooms(&changed, &made_up::rooms());
    expect_new(
        &before,
        &after,
        path,
        line,
        &["media must not import server"],
    );
}

#[test]
fn a_room_that_only_passes_on_is_judged_as_well() {
    let path = "src/media/fault.rs";
    let (changed, line) = with_line(&made_up::house(), path, "use crate::server::Code;");
    let after = between_rooms(&changed, &made_up::rooms());
    expect_new(&[], &after, path, line, &["media must not import server"]);
}

#[test]
fn a_room_that_the_table_does_not_know_is_found() {
    let path = "src/attic/mod.rs";
    let changed = made_up::house().with(vec![Source::new(path, "")]);
    let after = between_rooms(&changed, &made_up::rooms());
    expect_new(&[], &after, path, 1, &["not in the table"]);
}
