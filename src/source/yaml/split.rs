//! Where one document of a text ends and the next begins.

use std::borrow::Cow;

/// A run of lines that begins at a `---`, or at the start of the text.
pub(super) struct Chunk<'a> {
    /// Its text.
    pub(super) text: &'a str,
    /// The line of the file on which it begins, from 1.
    pub(super) line: u32,
}

/// Splits a text at its `---` lines. (A `---` at the start of a line always is one: YAML 1.2 section 9.1.2
/// forbids it inside any scalar.) Runs that hold no content are left out; a run of directives stays with
/// the document that it is for.
pub(super) fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let mut out = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 1, 0);
    for (line, content) in (1u32..).zip(text.split_inclusive('\n')) {
        if is_separator(content) && at > start && !has_directive_only(&text[start..at]) {
            push(&mut out, &text[start..at], start_line);
            (start, start_line) = (at, line);
        }
        at += content.len();
    }
    push(&mut out, &text[start..], start_line);
    out
}

fn push<'a>(out: &mut Vec<Chunk<'a>>, text: &'a str, line: u32) {
    let blank = text.lines().all(|l| {
        let l = l.trim_start();
        l.is_empty() || l.starts_with('#')
    });
    if !blank {
        out.push(Chunk { text, line });
    }
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn has_directive_only(text: &str) -> bool {
    let mut directive = false;
    for line in text.lines() {
        match line.as_bytes().first() {
            Some(b'%') => directive = true,
            None | Some(b'#') => {}
            Some(_) => return false,
        }
    }
    directive
}

/// Replaces each `\ud83d\ude00` of a JSON text by the character that the pair stands for.
pub(super) fn join_surrogates(text: &str) -> Cow<'_, str> {
    if !text.contains("\\uD") && !text.contains("\\ud") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let pair = surrogate(rest).and_then(|high| Some([high, surrogate(rest.get(6..)?)?]));
        let decoded = pair.and_then(|pair| char::decode_utf16(pair).next()).and_then(Result::ok);
        match decoded {
            Some(c) => {
                out.push(c);
                rest = &rest[12..];
            }
            None => {
                // An escape is two characters at least: a `\\` must not lend its second half to what follows.
                let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..length]);
                rest = &rest[length..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn surrogate(text: &str) -> Option<u16> {
    let unit = u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()?;
    (0xd800..0xe000).contains(&unit).then_some(unit)
}
