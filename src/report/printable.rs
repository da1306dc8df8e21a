//! Texts of others, made fit to be printed among our own: nothing in them moves a cursor, ends a line or changes the order of
//! what is read.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A text in which control characters (C0, DEL, C1) and characters that format or can't be seen (directions, zero width, line
/// separators) are written as escapes. The escapes are those of JSON, so that a JSON text stays one.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_unprintable)
}

/// [`printable`], for a text of several lines.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| letter != '\n' && is_unprintable(letter))
}

/// Whether a character is a control character, or one that formats or can't be seen (Unicode's Cf, Zl and Zp, and letters without
/// a shape).
pub fn is_unprintable(letter: char) -> bool {
    match letter {
        ' '..='~' => false,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' => {
            true
        }
        '\u{115f}'..='\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' => true,
        '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' => true,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}' => true,
        other => other.is_control(),
    }
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    // Nearly every text, such as a record of a request.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let Some(first) = text.find(&is_escaped) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for letter in text[first..].chars() {
        match letter {
            letter if !is_escaped(letter) => out.push(letter),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _infallible = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_taken_for_ours_is_escaped() {
        for (text, expected) in [
            ("plain, café, 東京, 🙂", "plain, café, 東京, 🙂"),
            ("a\nerror[X]: b\r\t", "a\\nerror[X]: b\\r\\t"),
            ("\u{1b}[31mred\u{7f}\u{0}", "\\u001b[31mred\\u007f\\u0000"),
            ("\u{9b}31m\u{85}", "\\u009b31m\\u0085"),
            ("\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}", "\\u202egpj.exe\\u2066\\u200b\\ufeff"),
            ("a\u{2028}b\u{2029}", "a\\u2028b\\u2029"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(printable(text), expected);
        }
        assert_eq!(printable_lines("a\n\u{9b}b\n"), "a\n\\u009bb\n");
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let value = serde_json::json!({"\u{9b}key": "\u{202e}\u{7f}\u{e0041}\n"});
        let text = printable_lines(&serde_json::to_string_pretty(&value).expect("JSON")).into_owned();
        assert!(!text.chars().any(|letter| letter != '\n' && is_unprintable(letter)));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
    }
}
