//! The framing of a body in HTTP/1.1, and the decoder that takes the body out of it (RFC 9112 sections 6 and 7).

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use http_body::Frame;
use httparse::Status;

use crate::proxy::limits::{MAX_CHUNK_LINE_BYTES, MAX_TRAILER_BYTES, MAX_TRAILER_FIELDS};

/// What was sent is no body of HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body has {0}")]
pub(in crate::proxy) struct MalformedBody(pub(in crate::proxy) &'static str);

/// How a body's end is told, and how much of the body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum BodyFraming {
    /// By its length: so many bytes are to come.
    Length(u64),
    /// By chunks.
    Chunked(ChunkState),
    /// By the end of the connection.
    UntilEnd,
}

/// What comes next in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum ChunkState {
    /// The line with the size of the next chunk.
    Size,
    /// The rest of a chunk: so many bytes.
    Data(u64),
    /// The line end behind a chunk.
    DataEnd,
    /// The trailers, behind the last chunk.
    Trailers,
}

/// What the decoder has taken of a body.
#[derive(Debug)]
pub(in crate::proxy) enum Decoded {
    Frame(Frame<Bytes>),
    /// The end of the body, with its trailers.
    End(Option<HeaderMap>),
    /// Nothing: more has to be read first.
    More,
}

impl From<MalformedBody> for io::Error {
    fn from(malformed: MalformedBody) -> Self {
        Self::new(io::ErrorKind::InvalidData, malformed)
    }
}

impl BodyFraming {
    pub(in crate::proxy) const CHUNKED: Self = Self::Chunked(ChunkState::Size);

    /// Whether the body is known to be over without reading more.
    pub(in crate::proxy) fn is_over(self) -> bool {
        self == Self::Length(0)
    }

    /// Takes the next part of the body from what has been read.
    ///
    /// # Errors
    /// What has been read is no chunk.
    pub(in crate::proxy) fn take(&mut self, read: &mut BytesMut) -> Result<Decoded, MalformedBody> {
        match self {
            Self::Length(0) => Ok(Decoded::End(None)),
            Self::Length(left) => Ok(data(read, left)),
            Self::UntilEnd => {
                let mut all = u64::MAX;
                Ok(data(read, &mut all))
            }
            Self::Chunked(chunked) => chunked.take(read),
        }
    }
}

/// Takes what has been read, `left` bytes at most.
fn data(read: &mut BytesMut, left: &mut u64) -> Decoded {
    if read.is_empty() {
        return Decoded::More;
    }
    let some = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
    *left -= some as u64;
    Decoded::Frame(Frame::data(read.split_to(some).freeze()))
}

impl ChunkState {
    fn take(&mut self, read: &mut BytesMut) -> Result<Decoded, MalformedBody> {
        loop {
            match self {
                Self::Size => match size(read)? {
                    Some((length, size)) => {
                        read.advance(length);
                        *self = if size == 0 { Self::Trailers } else { Self::Data(size) };
                    }
                    None => return Ok(Decoded::More),
                },
                Self::Data(left) => {
                    let taken = data(read, left);
                    if *left == 0 {
                        *self = Self::DataEnd;
                    }
                    return Ok(taken);
                }
                Self::DataEnd => match read.get(..2) {
                    Some(b"\r\n") => {
                        read.advance(2);
                        *self = Self::Size;
                    }
                    Some(_) => return Err(MalformedBody("a chunk that is longer than its size")),
                    None => return Ok(Decoded::More),
                },
                Self::Trailers => return trailers(read),
            }
        }
    }
}

/// Whether a byte may be in a line: no control character but a tab.
fn is_text(byte: &u8) -> bool {
    *byte == b'\t' || !byte.is_ascii_control()
}

/// The length of the line before a chunk, and the size of the chunk. `None`: the line is not complete yet. httparse takes a
/// line without a digit for 0, and lets an extension have control characters, such as a bare line feed.
fn size(read: &[u8]) -> Result<Option<(usize, u64)>, MalformedBody> {
    let bad = Err(MalformedBody("a chunk without a valid size"));
    if read.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
        return bad;
    }
    match httparse::parse_chunk_size(read) {
        Ok(Status::Complete((length, _)))
            if length > MAX_CHUNK_LINE_BYTES || !read[..length - 2].iter().all(is_text) =>
        {
            bad
        }
        Ok(Status::Complete(line)) => Ok(Some(line)),
        Ok(Status::Partial) if read.len() < MAX_CHUNK_LINE_BYTES => Ok(None),
        _ => bad,
    }
}

/// Takes the trailers, once they are complete.
fn trailers(read: &mut BytesMut) -> Result<Decoded, MalformedBody> {
    let bad = MalformedBody("trailers that are not HTTP/1.1");
    let mut lines = [httparse::EMPTY_HEADER; MAX_TRAILER_FIELDS];
    let (length, lines) = match httparse::parse_headers(read, &mut lines) {
        Ok(Status::Complete(parsed)) if parsed.0 <= MAX_TRAILER_BYTES => parsed,
        Ok(Status::Partial) if read.len() < MAX_TRAILER_BYTES => return Ok(Decoded::More),
        _ => return Err(bad),
    };
    // Lines end with CRLF: some readers take LF alone for an end and others do not, and would disagree on where the body ends.
    if read[0] == b'\n' || read[..length].windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r') {
        return Err(bad);
    }
    let mut trailers = HeaderMap::new();
    for line in lines {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(line.name.as_bytes()), HeaderValue::from_bytes(line.value))
        else {
            return Err(bad);
        };
        trailers.append(name, value);
    }
    read.advance(length);
    Ok(Decoded::End((!trailers.is_empty()).then_some(trailers)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All that is taken of a body that comes in these parts, its trailers, and what is left over.
    fn all(mut framing: BodyFraming, parts: &[&[u8]]) -> Result<(Vec<u8>, Option<HeaderMap>, BytesMut), MalformedBody> {
        let (mut read, mut body, mut parts) = (BytesMut::new(), Vec::new(), parts.iter());
        loop {
            match framing.take(&mut read)? {
                Decoded::Frame(frame) => body.extend_from_slice(frame.data_ref().expect("data")),
                Decoded::End(trailers) => {
                    read.extend(parts.copied().flatten());
                    return Ok((body, trailers, read));
                }
                Decoded::More => match parts.next() {
                    Some(part) => read.extend_from_slice(part),
                    None => return Err(MalformedBody("it broke off")),
                },
            }
        }
    }

    proptest! {
        #[test]
        fn a_body_is_the_same_however_it_is_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            cuts in prop::collection::vec(0..400usize, 0..12),
            trailer in any::<bool>(),
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:X};a=\"b\"\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(if trailer { b"0\r\nX-Sum: 1\r\n\r\nnext" } else { b"0\r\n\r\nnext" });
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(wire.len())).chain([0, wire.len()]).collect();
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &wire[cut[0]..cut[1]]).collect();
            let (body, trailers, left) = all(BodyFraming::CHUNKED, &parts).expect("good");
            prop_assert_eq!(body, chunks.concat());
            prop_assert_eq!(trailers.is_some_and(|trailers| trailers["x-sum"] == "1"), trailer);
            prop_assert_eq!(&left[..], b"next");
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = all(BodyFraming::CHUNKED, &[&bytes]);
        }
    }

    #[test]
    fn a_length_takes_no_more_than_it_says() {
        let (body, _, left) = all(BodyFraming::Length(5), &[b"he", b"llo", b"next"]).expect("good");
        assert_eq!((&body[..], &left[..]), (&b"hello"[..], &b"next"[..]));
        assert!(all(BodyFraming::Length(5), &[b"he"]).is_err());
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let endless = format!("5;{}", "x".repeat(MAX_CHUNK_LINE_BYTES));
        let sizes = [
            "x\r\n",
            "\r\n",
            " \r\n",
            ";a\r\n",
            "-1\r\n",
            "1;a\nb\r\n",
            "1;a\0b\r\n",
            "fffffffffffffffff\r\n",
            &endless,
        ];
        for bad in sizes.into_iter().chain(["5\r\nhello!\r\n", "0\r\nA B: 1\r\n\r\n", "0\r\n\n", "0\r\nA: 1\n\r\n"]) {
            // Whole, if that were a chunk.
            let text = format!("{bad}0\r\n\r\n0\r\n\r\n");
            assert!(all(BodyFraming::CHUNKED, &[text.as_bytes()]).is_err(), "{bad}");
        }
        assert!(all(BodyFraming::CHUNKED, &[b"5\r\nhel"]).is_err());
    }
    #[test]
    fn lines_and_trailers_have_no_more_than_their_limits() {
        let chunk = |length: usize| all(BodyFraming::CHUNKED, &[format!("0;{}", "x".repeat(length - 2)).as_bytes()]);
        let trailers =
            |length: usize| all(BodyFraming::CHUNKED, &[b"0\r\n", format!("A: {}", "x".repeat(length - 3)).as_bytes()]);
        let broke_off = MalformedBody("it broke off");
        assert_eq!(chunk(MAX_CHUNK_LINE_BYTES - 1).err(), Some(broke_off));
        assert_ne!(chunk(MAX_CHUNK_LINE_BYTES).err(), Some(broke_off));
        assert_eq!(trailers(MAX_TRAILER_BYTES - 1).err(), Some(broke_off));
        assert_ne!(trailers(MAX_TRAILER_BYTES).err(), Some(broke_off));
        // However they are cut.
        let line = |length: usize| format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(length - 4));
        let lines = |length: usize| format!("0\r\nA: {}\r\n\r\n", "x".repeat(length - 7));
        for (text, limit) in [(&line as &dyn Fn(usize) -> String, MAX_CHUNK_LINE_BYTES), (&lines, MAX_TRAILER_BYTES)] {
            assert!(all(BodyFraming::CHUNKED, &[text(limit).as_bytes()]).is_ok());
            assert!(all(BodyFraming::CHUNKED, &[text(limit + 1).as_bytes()]).is_err());
        }
        let fields =
            |count: usize| all(BodyFraming::CHUNKED, &[format!("0\r\n{}\r\n", "A: 1\r\n".repeat(count)).as_bytes()]);
        assert!(fields(MAX_TRAILER_FIELDS).is_ok() && fields(MAX_TRAILER_FIELDS + 1).is_err());
    }
}
