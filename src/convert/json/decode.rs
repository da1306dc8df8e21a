//! From bytes to text: UTF-8, or the UTF-16 that PowerShell's `>` writes.

use super::{MAX_INPUT_BYTES, Position, SyntaxError};

/// The text of a file.
///
/// # Errors
/// It is too large, or no text.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, SyntaxError> {
    let error = |position, message: String| Err(SyntaxError { position, message });
    let start = Position { line: 1, column: 1 };
    if bytes.len() > MAX_INPUT_BYTES {
        return error(start, format!("the file is larger than {} MiB, which no template is", MAX_INPUT_BYTES >> 20));
    }
    let little = match bytes {
        [0xFF, 0xFE, ..] => true,
        [0xFE, 0xFF, ..] => false,
        _ => {
            let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
            return match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.to_owned()),
                Err(wrong) => {
                    error(position(&bytes[..wrong.valid_up_to()]), "these bytes are no UTF-8 text".to_owned())
                }
            };
        }
    };
    let unit = |pair: &[u8]| {
        if little { u16::from_le_bytes([pair[0], pair[1]]) } else { u16::from_be_bytes([pair[0], pair[1]]) }
    };
    let units = bytes[2..].chunks_exact(2).map(unit);
    match char::decode_utf16(units).collect() {
        Ok(text) => Ok(text),
        Err(_) => error(start, "these bytes are no UTF-16 text".to_owned()),
    }
}

/// The position after text that is valid.
fn position(before: &[u8]) -> Position {
    let text = String::from_utf8_lossy(before);
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(u32::MAX) }
}
