//! The head of a client's request (RFC 9112 sections 2, 3 and 6): read in one way, or refused.

use std::mem::MaybeUninit;

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, Uri, Version};
use httparse::{ParserConfig, Status};

use crate::proxy::http1::fields::{self, FieldRanges, MalformedField};
use crate::proxy::http1::framing::BodyFraming;
use crate::proxy::limits::{MAX_HEADER_BYTES, MAX_HEADER_FIELDS};
use crate::proxy::request::record::RequestLine;
use crate::proxy::request::target::RawTarget;

/// Fields that the gateway adds to most requests: there is room for them.
const ADDED_FIELDS: usize = 8;

/// A request's head, and what it says of its connection.
#[derive(Debug)]
pub(super) struct RequestHead {
    pub(super) request: Request<()>,
    /// How the body's end is told.
    pub(super) framing: BodyFraming,
    /// Whether the client wants the connection to go on after the answer.
    pub(super) keep_alive: bool,
    /// Whether the client waits for a 100 (Continue) before it sends the body.
    pub(super) expects_continue: bool,
    /// Whether the client takes trailers.
    pub(super) takes_trailers: bool,
    /// Whether the client asks for another protocol.
    pub(super) asks_upgrade: bool,
}

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadFault {
    /// It is no HTTP/1.1, or could be read in more than one way: a sentence for people.
    Malformed(&'static str),
    /// Another version of HTTP.
    Version,
    /// A transfer coding that the gateway does not undo.
    TransferCoding,
    /// More than [`MAX_HEADER_FIELDS`].
    TooManyFields,
    /// More than [`MAX_HEADER_BYTES`].
    TooLarge,
    /// More than [`MAX_HEADER_BYTES`] in the first line alone.
    TargetTooLarge,
}

/// A head that was not taken.
enum NotTaken {
    /// Its target has something that a `Uri` can't have.
    Target,
    Fault(HeadFault),
}

impl From<MalformedField> for HeadFault {
    fn from(_: MalformedField) -> Self {
        Self::Malformed("a header field is malformed")
    }
}

impl From<HeadFault> for NotTaken {
    fn from(fault: HeadFault) -> Self {
        Self::Fault(fault)
    }
}

/// Drops empty lines ahead of a request (RFC 9112 section 2.2).
pub(super) fn skip_empty_lines(read: &mut BytesMut) {
    loop {
        match &read[..] {
            [b'\n', ..] => read.advance(1),
            [b'\r', b'\n', ..] => read.advance(2),
            _ => return,
        }
    }
}

/// Takes the head of a request from what has been read. `None`: it is not complete yet.
///
/// # Errors
/// What has been read is no head that is taken: it stays as it was read, and nothing more may be read from the connection.
pub(super) fn take(read: &mut BytesMut) -> Result<Option<RequestHead>, HeadFault> {
    match take_plain(read) {
        Ok(head) => Ok(head),
        Err(NotTaken::Target) => take_escaped(read),
        Err(NotTaken::Fault(fault)) => Err(fault),
    }
}

/// What can be read of the first line of a malformed head.
pub(super) fn first_line(read: &[u8]) -> RequestLine {
    let line = read.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().and_then(|word| Method::from_bytes(word).ok());
    let uri = words.next().filter(|_| method.is_some()).and_then(|word| Uri::try_from(word).ok());
    RequestLine { method, uri }
}

fn take_plain(read: &mut BytesMut) -> Result<Option<RequestHead>, NotTaken> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADER_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let length = match ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, read, &mut lines) {
        Ok(Status::Complete(length)) if length <= MAX_HEADER_BYTES => length,
        Ok(Status::Partial) if read.len() < MAX_HEADER_BYTES => return Ok(None),
        Ok(_) if read[..MAX_HEADER_BYTES].contains(&b'\n') => return Err(HeadFault::TooLarge.into()),
        Ok(_) => return Err(HeadFault::TargetTooLarge.into()),
        Err(httparse::Error::Token) => return Err(NotTaken::Target),
        // The whole line decides, however it is cut.
        Err(httparse::Error::Version) if !read.contains(&b'\n') && read.len() < MAX_HEADER_BYTES => return Ok(None),
        Err(httparse::Error::Version) => return Err(version_fault(read).into()),
        Err(error) => return Err(fault(error).into()),
    };
    let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes());
    let method = method.map_err(|_| HeadFault::Malformed("the method is malformed"))?;
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };

    // The texts stay where they are in the buffer.
    let target = fields::range_in(read, parsed.path.unwrap_or_default().as_bytes());
    let ranges = FieldRanges::of(read, parsed.headers);
    if read[target.clone()].contains(&b'#') {
        return Err(HeadFault::Malformed("the request target has a fragment").into());
    }
    let head = fields::split_head(read, length);
    let Ok(uri) = Uri::from_maybe_shared(head.slice(target)) else {
        // It is read again in another way.
        put_back(&head, read);
        return Err(NotTaken::Target);
    };
    let mut said = ConnectionFields::default();
    let headers = ranges.read(&head, ADDED_FIELDS, |name, value| said.note(name, value));
    let (headers, framing) = match headers.and_then(|headers| Ok((headers, said.framing(version)?))) {
        Ok(taken) => taken,
        Err(fault) => {
            put_back(&head, read);
            return Err(fault.into());
        }
    };
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    let http11 = version == Version::HTTP_11;
    Ok(Some(RequestHead {
        request,
        framing,
        keep_alive: !said.close && (http11 || said.keep_alive),
        expects_continue: http11 && said.expects_continue,
        takes_trailers: http11 && said.takes_trailers,
        asks_upgrade: http11 && said.asks_upgrade,
    }))
}

/// Puts a head back in front of what follows it.
fn put_back(head: &[u8], read: &mut BytesMut) {
    let mut whole = BytesMut::from(head);
    whole.extend_from_slice(read);
    *read = whole;
}

/// Takes a head whose target has bytes that should have been escaped: the request has them escaped, and keeps the target as it came
/// besides. Most gateways and servers take such targets; nothing in them can be mistaken for the end of the target.
fn take_escaped(read: &mut BytesMut) -> Result<Option<RequestHead>, HeadFault> {
    let malformed = HeadFault::Malformed("the request line is malformed");
    let line_end = read.iter().position(|byte| *byte == b'\n').unwrap_or(read.len());
    let mut spaces = (0..line_end).filter(|at| read[*at] == b' ');
    let (Some(start), Some(end)) = (spaces.next().map(|at| at + 1), spaces.next()) else { return Err(malformed) };
    let raw = Bytes::copy_from_slice(&read[start..end]);
    let mut copy = BytesMut::with_capacity(read.len() + 2 * raw.len());
    copy.extend_from_slice(&read[..start]);
    for byte in &raw {
        match byte {
            b'"' | b'<' | b'>' | b'`' | 0x80.. => copy.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            byte => copy.extend_from_slice(&[*byte]),
        }
    }
    let grown = copy.len() - end;
    if grown == 0 {
        return Err(malformed);
    }
    copy.extend_from_slice(&read[end..]);
    let before = copy.len();
    let mut head = match take_plain(&mut copy) {
        Ok(Some(head)) => head,
        Ok(None) => return Ok(None),
        Err(NotTaken::Target) => return Err(malformed),
        Err(NotTaken::Fault(fault)) => return Err(fault),
    };
    read.advance(before - copy.len() - grown);
    if let Some(path) = path_start(&raw) {
        head.request.extensions_mut().insert(RawTarget(raw.slice(path..)));
    }
    Ok(Some(head))
}

/// Where the path of a target begins, behind scheme and authority if it has them (RFC 9112 section 3.2.2).
fn path_start(target: &[u8]) -> Option<usize> {
    if target.starts_with(b"/") {
        return Some(0);
    }
    let authority = target.windows(3).position(|at| at == b"://")? + 3;
    let length = target[authority..].iter().position(|byte| *byte == b'/')?;
    (!target[authority..authority + length].contains(&b'?')).then_some(authority + length)
}

/// The fault of a first line that ends with no version that is spoken.
fn version_fault(read: &[u8]) -> HeadFault {
    let line = read.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let mut words = line.trim_ascii_end().splitn(3, |byte| *byte == b' ').skip(2);
    match words.next().unwrap_or_default() {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            HeadFault::Version
        }
        _ => HeadFault::Malformed("the request line is malformed"),
    }
}

fn fault(error: httparse::Error) -> HeadFault {
    match error {
        httparse::Error::TooManyHeaders => HeadFault::TooManyFields,
        httparse::Error::HeaderName => HeadFault::Malformed("the name of a header field is malformed"),
        httparse::Error::HeaderValue => HeadFault::Malformed("the value of a header field is malformed"),
        _ => HeadFault::Malformed("a line of the header does not end as it should"),
    }
}

/// The fields of a request that are about its body's end and its connection.
#[derive(Debug, Default)]
struct ConnectionFields {
    length: Option<u64>,
    is_chunked: bool,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    takes_trailers: bool,
    asks_upgrade: bool,
}

impl ConnectionFields {
    /// Takes note of a field, if it is one of these.
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), HeadFault> {
        if *name == header::CONNECTION {
            self.close |= fields::has_option(value, "close");
            self.keep_alive |= fields::has_option(value, "keep-alive");
        } else if *name == header::CONTENT_LENGTH {
            if self.length.is_some() {
                return Err(HeadFault::Malformed("Content-Length is given more than once"));
            }
            self.length = Some(length(value).ok_or(HeadFault::Malformed("the Content-Length is no number"))?);
        } else if *name == header::TRANSFER_ENCODING {
            if self.is_chunked {
                return Err(HeadFault::Malformed("Transfer-Encoding is given more than once"));
            }
            check_coding(value)?;
            self.is_chunked = true;
        } else if *name == header::EXPECT {
            self.expects_continue = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        } else if *name == header::TE {
            self.takes_trailers |= fields::has_option(value, "trailers");
        } else if *name == header::UPGRADE {
            self.asks_upgrade = true;
        }
        Ok(())
    }

    /// The framing of the body (RFC 9112 section 6.3), if there is one way to read it.
    fn framing(&self, version: Version) -> Result<BodyFraming, HeadFault> {
        match self.length {
            Some(_) if self.is_chunked => {
                Err(HeadFault::Malformed("both Content-Length and Transfer-Encoding are given"))
            }
            None if self.is_chunked && version == Version::HTTP_10 => {
                Err(HeadFault::Malformed("Transfer-Encoding is not part of HTTP/1.0"))
            }
            None if self.is_chunked => Ok(BodyFraming::CHUNKED),
            length => Ok(BodyFraming::Length(length.unwrap_or(0))),
        }
    }
}

/// The value of a `Content-Length`: digits alone (RFC 9110 section 8.6). Lists, which some readers take and others do not, are refused.
fn length(value: &HeaderValue) -> Option<u64> {
    let digits = value.as_bytes();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Checks that a body's transfer coding is chunked, and nothing else.
fn check_coding(value: &HeaderValue) -> Result<(), HeadFault> {
    let codings: Vec<&[u8]> = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    let chunked = codings.iter().filter(|coding| coding.eq_ignore_ascii_case(b"chunked")).count();
    match (chunked, codings.last()) {
        (1, _) if codings.len() == 1 => Ok(()),
        (0, _) => Err(HeadFault::TransferCoding),
        (1, Some(last)) if last.eq_ignore_ascii_case(b"chunked") => Err(HeadFault::TransferCoding),
        _ => Err(HeadFault::Malformed("chunked is not the last Transfer-Encoding, or is given more than once")),
    }
}

#[cfg(test)]
mod tests;
