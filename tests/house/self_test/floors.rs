//! Imports between the floors of a room, and from the folder around.

use super::{expect_new, made_up, with_line};
use crate::HOUSE;
use crate::imports::{between_floors, from_around};

#[test]
fn nothing_is_wrong_in_the_made_up_house() {
    assert_eq!(
        between_floors(&made_up::house(), &made_up::floors()).len(),
        0
    );
    assert_eq!(from_around(&made_up::house()).len(), 0);
}

#[test]
fn an_import_from_a_higher_floor_is_found() {
    for (path, line) in [
        ("src/media/format.rs", "use super::capture::Camera;"),
        (
            "src/media/format.rs",
            "fn wrong() { crate::media::capture::Camera }",
        ),
        ("src/media/capture/camera.rs", "use crate::media::uplink;"),
        ("src/media/capture/mod.rs", "pub use super::uplink::push;"),
    ] {
        let (changed, line) = with_line(&made_up::house(), path, line);
        let after = between_floors(&changed, &made_up::floors());
        expect_new(&[], &after, path, line, &["not on a lower floor"]);
    }
}

/// The table allows the way from `capture` to `echo`, and no way back.
#[test]
fn folders_of_one_floor_import_each_other_only_as_it_is_written() {
    let path = "src/media/echo/echo.rs";
    let (changed, line) = with_line(
        &made_up::house(),
        path,
        "use crate::media::capture::Camera;",
    );
    let after = between_floors(&changed, &made_up::floors());
    expect_new(&[], &after, path, line, &["echo must not import capture"]);
}

#[test]
fn a_use_through_the_facade_around_is_found() {
    for (path, line) in [
        ("src/media/format.rs", "use super::Fault;"),
        (
            "src/media/uplink/push.rs",
            "fn wrong() { crate::media::Fault }",
        ),
        ("src/media/capture/mod.rs", "pub use super::Fault;"),
    ] {
        let (changed, line) = with_line(&made_up::house(), path, line);
        let words = ["import from src/media/fault.rs, not through src/media/mod.rs"];
        expect_new(&[], &from_around(&changed), path, line, &words);
    }
}

#[test]
fn a_definition_in_the_folder_around_is_found() {
    let (house, _) = with_line(
        &made_up::house(),
        "src/media/mod.rs",
        "pub const HZ: u32 = 1;",
    );
    let path = "src/media/uplink/push.rs";
    let (changed, line) = with_line(&house, path, "use crate::media::HZ;");
    expect_new(
        &[],
        &from_around(&changed),
        path,
        line,
        &["src/media/mod.rs", "of its own"],
    );
}

/// Takes a re-export that is there, and uses it from the file that it opens.
#[test]
fn a_use_through_the_facade_around_is_found_in_the_real_house() {
    let before = from_around(&HOUSE);
    let file = |index: usize| HOUSE.files[index].source.path.as_str();
    let mut exports = HOUSE.references.iter().filter(|each| {
        let folder = file(each.from).strip_suffix("mod.rs");
        each.is_export
            && folder.is_some_and(|folder| {
                let others = HOUSE
                    .product()
                    .filter(|(_, file)| file.source.path.starts_with(folder));
                others.count() > 2 && file(each.target).starts_with(folder)
            })
    });
    let export = exports.next().unwrap();
    let folder = file(export.from).strip_suffix("mod.rs").unwrap();
    let mut users = HOUSE.product().filter(|(index, each)| {
        each.source.path.starts_with(folder) && ![export.from, export.target].contains(index)
    });
    let user = &users.next().unwrap().1.source.path;
    let module = HOUSE.files[export.from].module.join("::");
    let name = export.path.rsplit("::").next().unwrap();
    let (changed, line) = with_line(
        &HOUSE,
        user,
        &format!("use crate::{module}::{name} as Wrong;"),
    );
    expect_new(
        &before,
        &from_around(&changed),
        user,
        line,
        &["not through", file(export.from)],
    );
}
