//! Texts for the API server, which allows a length, and whose users read them in their terminals.

use crate::report::printable;

/// `text`, fit to be printed, and cut to at most `longest` bytes.
pub(super) fn shortened(text: String, longest: usize) -> String {
    let mut text = printable(&text).into_owned();
    if text.len() > longest {
        let end = (0..=longest - '…'.len_utf8()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("äöü".to_owned(), 6), "äöü");
        assert_eq!(shortened("äöüß".to_owned(), 7), "äö…");
        assert_eq!(shortened("a\u{9b}b".to_owned(), 10), "a\\u009bb");
    }
}
