//! Rings of imports.

use super::{expect_new, made_up, with_line};
use crate::HOUSE;
use crate::house::House;
use crate::rings::find;
use crate::source::Source;

/// Files of a folder, each of which imports the next one, and the last one the first.
fn ring(folder: &str, files: usize) -> Vec<Source> {
    let file = |each: usize| {
        let text = format!("use super::ring_{}::X;\npub struct X;", (each + 1) % files);
        Source::new(format!("{folder}/ring_{each}.rs"), text)
    };
    (0..files).map(file).collect()
}

#[test]
fn there_is_no_ring_in_the_made_up_house() {
    assert_eq!(find(&made_up::house()).len(), 0);
}

#[test]
fn a_ring_of_folders_is_found_with_its_lines() {
    let path = "src/media/echo/echo.rs";
    let (changed, line) = with_line(
        &made_up::house(),
        path,
        "use crate::media::capture::Camera;",
    );
    let words = [
        "a ring of capture, echo".to_owned(),
        "src/media/capture/camera.rs:1: capture -> echo: `crate::media::echo::Echo`".to_owned(),
        format!("{path}:{line}: echo -> capture: `crate::media::capture::Camera`"),
    ];
    expect_new(
        &[],
        &find(&changed),
        "src/media/capture/camera.rs",
        1,
        &words.each_ref().map(String::as_str),
    );
}

#[test]
fn a_ring_of_a_folder_and_a_file_is_found() {
    let path = "src/media/format.rs";
    let (changed, _) = with_line(&made_up::house(), path, "use super::uplink::push;");
    let (changed, _) = with_line(
        &changed,
        "src/media/uplink/push.rs",
        "use super::super::format::Caps;",
    );
    let found = find(&changed);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].message.contains("a ring of format, uplink"),
        "{}",
        found[0]
    );
}

#[test]
fn a_ring_of_rooms_is_found() {
    let (changed, line) = with_line(
        &made_up::house(),
        "src/words/code.rs",
        "use crate::media::Fault;",
    );
    let words = [format!("src/words/code.rs:{line}: words -> media")];
    expect_new(
        &[],
        &find(&changed),
        "src/media/echo/echo.rs",
        1,
        &words.each_ref().map(String::as_str),
    );
}

#[test]
fn a_ring_of_four_files_is_found_and_one_of_three_is_not() {
    let folder = "src/media/capture";
    assert_eq!(find(&made_up::house().with(ring(folder, 3))).len(), 0);
    let found = find(&made_up::house().with(ring(folder, 4)));
    let words = [
        "a ring of ring_0, ring_1, ring_2, ring_3",
        "ring_3.rs:1: ring_3 -> ring_0",
    ];
    expect_new(&[], &found, "src/media/capture/ring_0.rs", 1, &words);
}

/// A folder's own file that only opens it is in no ring; one that uses its files may be.
#[test]
fn the_file_of_a_folder_counts_for_what_it_defines() {
    let files = [
        (
            "mod.rs",
            "mod a; mod b;\npub use a::A;\nuse b::B;\npub struct Own(B);",
        ),
        ("a.rs", "pub struct A;"),
        ("b.rs", "use super::Own;\nuse super::c::d::D;"),
        ("c/mod.rs", "pub mod d;"),
        ("c/d.rs", "use crate::media::wrong::Own;\npub struct D;"),
    ];
    let files = files.map(|(path, text)| Source::new(format!("src/media/wrong/{path}"), text));
    let found = find(&made_up::house().with(files.to_vec()));
    expect_new(
        &[],
        &found,
        "src/media/wrong/b.rs",
        2,
        &["a ring of b, c, mod.rs"],
    );
}

#[test]
fn a_ring_of_four_files_is_found_in_the_real_house() {
    let before = find(&HOUSE);
    let after = find(&HOUSE.with(ring("src/session", 4)));
    expect_new(
        &before,
        &after,
        "src/session/ring_0.rs",
        1,
        &["ring_0, ring_1, ring_2, ring_3"],
    );
}

/// Takes an import between two folders of `media` that is there, and adds the way back.
#[test]
fn a_ring_of_folders_is_found_in_the_real_house() {
    let before = find(&HOUSE);
    let folder = |index: usize| media_folder(&HOUSE, index);
    let mut between = HOUSE.references.iter().filter(|each| {
        let (from, to) = (folder(each.from), folder(each.target));
        from.is_some() && to.is_some() && from != to
    });
    let reference = between.next().unwrap();
    let (from, to) = (
        folder(reference.from).unwrap(),
        folder(reference.target).unwrap(),
    );
    let path = format!("src/media/{to}/wrong.rs");
    let changed = HOUSE.with(vec![Source::new(
        &path,
        format!("use crate::media::{from}::X;"),
    )]);
    let found = find(&changed);
    let is_it = |message: &str| {
        message.contains("a ring of ") && message.contains(&format!("{to} -> {from}: `"))
    };
    assert!(
        found
            .iter()
            .any(|each| !before.contains(each) && is_it(&each.message))
    );
}

fn media_folder(house: &House, index: usize) -> Option<&str> {
    let below = house.files[index].source.path.strip_prefix("src/media/")?;
    below.split_once('/').map(|(folder, _)| folder)
}
