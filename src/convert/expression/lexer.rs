//! From the text of an expression to its tokens.

use std::ops::Range;

use super::ExpressionError;

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Text(String),
    Number(serde_json::Number),
    Name(String),
    /// One of `( ) [ ] , . ?`.
    Mark(char),
}

/// The tokens of a text, each with the bytes that it stands at.
///
/// # Errors
/// A character begins no token, or a text has no end.
pub(super) fn tokens(source: &str) -> Result<Vec<(Token, Range<usize>)>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(next) = source[at..].chars().next() {
        let rest = &source[at..];
        let (token, length) = match next {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '\'' => text(rest).ok_or_else(|| error(source, at, "the text that begins here has no closing quote"))?,
            '(' | ')' | '[' | ']' | ',' | '.' | '?' => (Token::Mark(next), 1),
            '-' | '0'..='9' => {
                let end =
                    rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.')).unwrap_or(rest.len());
                let number = serde_json::from_str(&rest[..end]);
                (Token::Number(number.map_err(|_| error(source, at, "this is no number"))?), end)
            }
            c if c.is_ascii_alphabetic() || matches!(c, '_' | '$') => {
                let end =
                    rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '$')).unwrap_or(rest.len());
                (Token::Name(rest[..end].to_owned()), end)
            }
            c => return Err(error(source, at, &format!("{c:?} begins nothing that an expression has"))),
        };
        tokens.push((token, at..at + length));
        at += length;
    }
    Ok(tokens)
}

/// A text in single quotes, in which two of them stand for one.
fn text(rest: &str) -> Option<(Token, usize)> {
    let mut text = String::new();
    let mut at = 1;
    loop {
        let end = at + rest[at..].find('\'')?;
        text.push_str(&rest[at..end]);
        if !rest[end + 1..].starts_with('\'') {
            return Some((Token::Text(text), end + 1));
        }
        text.push('\'');
        at = end + 2;
    }
}

/// An error at a byte of the text.
pub(super) fn error(source: &str, byte: usize, message: &str) -> ExpressionError {
    let character = source[..byte].chars().count() + 1;
    ExpressionError { character, message: message.to_owned() }
}
