//! The size of `roomInfo` and the form of ids that every known room server takes.

/// Maximum size of `roomInfo`, in bytes of UTF-8: Node's limit. Java counts characters.
pub const ROOM_INFO_LIMIT: usize = 1024;

/// Whether an id may stand unescaped in stream ids and URLs: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[must_use]
pub fn is_plain_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::is_plain_id;

    #[test]
    fn plain_ids_need_no_escaping() {
        assert!(is_plain_id("kiosk_01-a"));
        for bad in ["", "a b", "a/b", "ä", "a?b", &"x".repeat(65)] {
            assert!(!is_plain_id(bad), "{bad}");
        }
    }
}
