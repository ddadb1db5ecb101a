//! What a terminal would obey of a text that somebody else chose.

/// Control characters, and those that end a line, turn the direction of a text or stand in it unseen.
/// Not U+200C and U+200D: words of some languages are written with them.
#[must_use]
pub fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal_or_hides_in_a_text() {
        let hidden = "\u{1b}\u{7f}\u{9b}\n\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2069}\u{feff}";
        assert!(hidden.chars().all(steers));
        let words = "Große Größen, 鞋, می\u{200c}خواهم, 👩\u{200d}🚀 … 12.50";
        assert!(!words.contains(steers));
    }
}
