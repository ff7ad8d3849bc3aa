//! Names in foreign certificates, as far as they can be shown.

/// Maximum number of characters of a foreign name that are shown: our choice.
const CHARS: usize = 64;

/// Takes the beginning of a name, without what a terminal would obey.
pub(super) fn shown(name: &str) -> String {
    let plain = name.chars().filter(|c| !c.is_control());
    plain.take(CHARS).collect()
}
