//! Sizes, openings, names, and paths in documents.

use super::made_up;
use crate::house::House;
use crate::source::Source;
use crate::{documents, openings, sizes};

fn one(path: &str, text: &str) -> Vec<Source> {
    vec![Source::new(path, text)]
}

#[test]
fn lengths_are_without_tests() {
    let body = "    call();\n".repeat(70);
    let tests = format!(
        "#[cfg(test)]\nmod tests {{\nfn long() {{\n{body}}}\n{}}}\n",
        "\n".repeat(400)
    );
    let text = format!("/// Is long.\nfn long() {{\n{body}}}\n{tests}");
    let house = House::read(one("src/a/b.rs", &text));
    assert_eq!(house.files[0].lines, 73);
    let found = sizes::find(&house);
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found.last().unwrap(),
        "src/a/b.rs:2: `long` has 72 lines",
        "{found:?}"
    );
    assert!(sizes::find(&made_up::house()).is_empty());
}

#[test]
fn a_long_file_is_found() {
    let long = Source::new("src/media/long.rs", "\n".repeat(451));
    let found = sizes::find(&made_up::house().with(vec![long]));
    assert!(
        found
            .iter()
            .any(|each| each.to_string() == "src/media/long.rs:1: 451 lines")
    );
}

#[test]
fn parts_for_tests_and_fuzzing_are_known_by_their_conditions() {
    for (condition, counts) in [
        ("test", false),
        ("any(test, fuzzing)", false),
        ("all(test, feature = \"kiosk\")", false),
        ("feature = \"kiosk\"", true),
        ("not(test)", true),
        ("not(feature = \"kiosk\")", true),
        ("any(test, feature = \"kiosk\")", true),
    ] {
        let text = format!("#[cfg({condition})]\nfn a() {{}}");
        let house = House::read(one("src/a.rs", &text));
        assert_eq!(!house.files[0].functions.is_empty(), counts, "{condition}");
    }
}

#[test]
fn openings_are_judged() {
    let good = one(
        "src/a.rs",
        "//! Purpose.\n\n/// Whether it is.\n/// How it is.\nfn a() {}",
    );
    assert!(openings::without_purpose(&good).is_empty());
    assert!(openings::questions(&good).is_empty());
    assert_eq!(
        openings::without_purpose(&one("src/a.rs", "use a::b;")).len(),
        1
    );
    for word in [
        "Who", "what", "How", "WHERE", "When", "Why", "which", "Whose",
    ] {
        let text = format!("//! Purpose.\nfn a() {{}}\n    /// {word} it is.\nfn b() {{}}");
        let found = openings::questions(&one("src/a.rs", &text));
        assert_eq!((found.len(), found[0].line), (1, 3), "{word}");
    }
}

#[test]
fn names_are_judged() {
    let beside = [one("src/a.rs", ""), one("src/a/b.rs", "")].concat();
    assert_eq!(openings::beside_their_folder(&beside).len(), 1);
    let files = ["src/a/x.rs", "src/a/b/x.rs", "src/a/c/x.rs"];
    let files = files.map(|path| Source::new(path, "pub struct Report;"));
    let house = House::read(files.to_vec());
    assert_eq!(openings::same_file_names(&house).len(), 1);
    assert_eq!(openings::more_reports(&house).len(), 2);
}

#[test]
fn paths_of_documents_are_judged() {
    let text = "`here.rs` `gone.rs`\n`src/gone/` `a::b` `--flag` `/weapp/x` `word`";
    let found = documents::missing(&Source::new("a.md", text), |path| path == "src/here.rs");
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "a.md:1: there is no `gone.rs`",
            "a.md:2: there is no `src/gone/`"
        ]
    );
}
