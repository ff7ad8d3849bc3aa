//! Foreign texts as they may be stored, drawn and logged: without what a terminal or a line of
//! text would obey, and no longer than anybody needs.

/// Longest name, title or id in characters: our choice, a screen shows a third of it.
const NAME: usize = 128;
/// Longest line in characters that is no name, such as an address: our choice.
const LINE: usize = 1024;
/// Longest text of a chat in characters: what fits into a message of Tencent's clients (8,898
/// bytes).
const TEXT: usize = 8_898;

/// A name, a title or an id.
#[must_use]
pub fn name(text: &str) -> String {
    one_line(text, NAME)
}

/// Another text of one line.
#[must_use]
pub fn line(text: &str) -> String {
    one_line(text, LINE)
}

fn one_line(text: &str, most: usize) -> String {
    let plain = text.chars().map(|c| if is_space(c) { ' ' } else { c });
    plain.filter(|c| !is_obeyed(*c)).take(most).collect()
}

/// A text of several lines.
#[must_use]
pub fn text(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let plain = |c: char| if c != '\n' && is_space(c) { ' ' } else { c };
    let kept = |c: &char| *c == '\n' || !is_obeyed(*c);
    lines.chars().map(plain).filter(kept).take(TEXT).collect()
}

fn is_space(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Control characters, and marks that turn the direction of what follows, by which one name can be
/// made to look like another.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed() {
        assert_eq!(name("An\u{1b}[31mna\u{202e}\nx\u{9b}2J"), "An[31mna x2J");
        assert_eq!(text("a\r\nb\tc\u{7}\u{1b}"), "a\nb c");
        assert_eq!(name("柜员 😀"), "柜员 😀");
    }

    #[test]
    fn nothing_is_endless() {
        assert_eq!(name(&"ä".repeat(1000)).chars().count(), NAME);
        assert_eq!(text(&"ä\n".repeat(10_000)).chars().count(), TEXT);
    }
}
