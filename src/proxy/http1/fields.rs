//! The fields of a header or of trailers (RFC 9112 section 5): they stay where they were read, and are written in the usual case.

use std::ops::Range;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Where the fields of a head are in the buffer that it was read into: they are noted before the head is split off.
pub(in crate::proxy) struct FieldRanges(Vec<(Range<usize>, Range<usize>)>);

/// A field that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) struct MalformedField;

impl FieldRanges {
    /// The places of `lines` in `read`, of which they are parts.
    pub(in crate::proxy) fn of(read: &[u8], lines: &[httparse::Header<'_>]) -> Self {
        let range = |text: &[u8]| range_in(read, text);
        Self(lines.iter().map(|line| (range(line.name.as_bytes()), range(line.value))).collect())
    }

    /// The fields of a head, which share its memory. `spare` more have room in the map. `note` sees each before it is added.
    ///
    /// # Errors
    /// One of them is no field, or `note` refuses it.
    pub(in crate::proxy) fn read<E: From<MalformedField>>(
        self,
        head: &Bytes,
        spare: usize,
        mut note: impl FnMut(&HeaderName, &HeaderValue) -> Result<(), E>,
    ) -> Result<HeaderMap, E> {
        let mut fields = HeaderMap::with_capacity(self.0.len() + spare);
        for (name, value) in self.0 {
            let name = HeaderName::from_bytes(&head[name]).map_err(|_| MalformedField)?;
            let value = HeaderValue::from_maybe_shared(head.slice(value)).map_err(|_| MalformedField)?;
            note(&name, &value)?;
            fields.append(name, value);
        }
        Ok(fields)
    }
}

/// The place of a text in the buffer of which it is a part.
pub(in crate::proxy) fn range_in(read: &[u8], text: &[u8]) -> Range<usize> {
    let at = text.as_ptr() as usize - read.as_ptr() as usize;
    at..at + text.len()
}

/// Takes the first `length` bytes of a buffer. The memory of an empty buffer is not kept.
pub(in crate::proxy) fn split_head(read: &mut BytesMut, length: usize) -> Bytes {
    if length == read.len() { std::mem::take(read).freeze() } else { read.split_to(length).freeze() }
}

/// Whether a head may be complete, if the first `before` bytes were not: a quick search for an empty line. It also says yes to
/// the first bytes, and to a head of more than `limit` bytes.
pub(in crate::proxy) fn may_be_complete(read: &[u8], before: usize, limit: usize) -> bool {
    let new = &read[before.saturating_sub(3)..];
    let ends = |pair: &[u8]| matches!(pair, [b'\n', b'\n', ..] | [b'\n', b'\r', b'\n']);
    before == 0 || read.len() > limit || new.windows(3).any(ends) || new.ends_with(b"\n\n")
}

/// Whether a list of options, such as that of `Connection`, has this one (RFC 9110 section 5.6.1).
pub(in crate::proxy) fn has_option(value: &HeaderValue, option: &str) -> bool {
    let mut options = value.as_bytes().split(|byte| *byte == b',');
    options.any(|listed| listed.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
}

/// Writes header or trailer fields.
pub(in crate::proxy) fn write(fields: &HeaderMap, out: &mut BytesMut) {
    for (name, value) in fields {
        out.reserve(name.as_str().len() + value.len() + 4);
        write_name(name.as_str(), out);
        out.put_slice(b": ");
        out.put_slice(value.as_bytes());
        out.put_slice(b"\r\n");
    }
}

/// Writes a name in the usual case (`Content-Type`), and the names of RFC 6455 as it spells them: some backends compare case.
fn write_name(name: &str, out: &mut BytesMut) {
    let start = out.len();
    out.put_slice(name.as_bytes());
    let mut first = true;
    for byte in &mut out[start..] {
        if first {
            byte.make_ascii_uppercase();
        }
        first = *byte == b'-';
    }
    if name.starts_with("sec-websocket-") {
        out[start..][..13].copy_from_slice(b"Sec-WebSocket");
    }
}
