//! Reading of the string files, and filling of values into a text.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::key::Key;
use crate::config::kiosk::Language;

type Catalog = HashMap<&'static str, &'static str>;

const ENGLISH_FILE: &str = include_str!("en.txt");
const CHINESE_FILE: &str = include_str!("zh-CN.txt");

static ENGLISH: LazyLock<Catalog> = LazyLock::new(|| entries(ENGLISH_FILE).collect());
static CHINESE: LazyLock<Catalog> = LazyLock::new(|| entries(CHINESE_FILE).collect());

/// Keys and texts of a file.
fn entries(file: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" = "))
}

/// A text with its values filled in.
pub(in crate::display) fn text(language: Language, key: Key, values: &[(&str, &str)]) -> String {
    let catalog = match language {
        Language::English => &ENGLISH,
        Language::Chinese => &CHINESE,
    };
    let template = catalog.get(key.name()).copied();
    fill(template.unwrap_or(key.name()), values)
}

/// Replaces each `{name}` by its value, which is not looked into.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, name, after)) = next_value(rest) {
        let value = values.iter().find(|(known, _)| *known == name);
        filled += before;
        filled += value.map_or("", |(_, value)| value);
        rest = after;
    }
    filled + rest
}

/// The first `{name}` of a text, between what stands before it and after it.
fn next_value(text: &str) -> Option<(&str, &str, &str)> {
    let (before, opened) = text.split_once('{')?;
    let (name, after) = opened.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Names of the values in a text.
    fn values(text: &str) -> BTreeSet<&str> {
        let mut rest = text;
        std::iter::from_fn(|| {
            let (_, name, after) = next_value(rest)?;
            rest = after;
            Some(name)
        })
        .collect()
    }

    #[test]
    fn each_file_has_every_key_once_and_no_other() {
        let mut keys: Vec<_> = Key::ALL.iter().map(|key| key.name()).collect();
        keys.sort_unstable();
        for file in [ENGLISH_FILE, CHINESE_FILE] {
            let mut found: Vec<_> = entries(file).map(|(key, _)| key).collect();
            found.sort_unstable();
            assert_eq!(found, keys);
            let is_entry = |line: &&str| !line.is_empty() && !line.starts_with('#');
            assert_eq!(file.lines().filter(is_entry).count(), keys.len());
        }
    }

    #[test]
    fn both_languages_have_the_same_values_in_each_text() {
        for (key, english) in ENGLISH.iter() {
            let chinese = CHINESE[key];
            assert_eq!(values(english), values(chinese), "{key}");
            for text in [english, chinese] {
                assert_eq!(text.trim(), text, "{key}");
                assert_eq!(text.matches('{').count(), text.matches('}').count());
            }
        }
    }

    #[test]
    fn values_are_filled_in_and_not_looked_into() {
        let values = [("name", "{text}"), ("text", "hello")];
        for (template, expected) in [
            ("{name}: {text}!", "{text}: hello!"),
            ("{text}{text}", "hellohello"),
            ("no value", "no value"),
            ("{unknown} {name", " {name"),
            ("", ""),
        ] {
            assert_eq!(fill(template, &values), expected);
        }
    }
}
