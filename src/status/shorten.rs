//! Texts that must not exceed the length that the API server allows.

/// `text`, cut to at most `longest` bytes.
pub(super) fn shortened(mut text: String, longest: usize) -> String {
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
    }
}
