//! Bodies of HTTP/1.1 answers, taken out of their framing (RFC 9112 sections 6 and 7).

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use http_body::Frame;
use httparse::Status;

use super::MalformedAnswer;

/// Bytes that the line before a chunk may have, extensions included; and all trailers together.
const LINES: usize = 16 * 1024;
/// Trailers that an answer may have.
const TRAILERS: usize = 100;

/// How a body's end is told, and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// So many bytes are to come.
    Length(u64),
    /// In chunks.
    Chunked(Chunked),
    /// With the connection's end.
    UntilEnd,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunked {
    /// The line that says how long the next chunk is.
    Size,
    /// So many bytes of a chunk.
    Data(u64),
    /// The end of its line.
    DataEnd,
    Trailers,
}

/// What has been taken of a body.
#[derive(Debug)]
pub(super) enum Decoded {
    Frame(Frame<Bytes>),
    /// All of it has been taken; these are its trailers.
    End(Option<HeaderMap>),
    /// More has to be read first.
    More,
}

impl BodyFraming {
    pub(super) const CHUNKED: Self = Self::Chunked(Chunked::Size);

    /// Whether nothing is to come, as far as can be told without reading.
    pub(super) fn is_over(self) -> bool {
        self == Self::Length(0)
    }

    /// Takes what it can from what has been read.
    ///
    /// # Errors
    /// What comes is no chunk.
    pub(super) fn take(&mut self, read: &mut BytesMut) -> Result<Decoded, MalformedAnswer> {
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

/// As much of what has been read as is `left` to come.
fn data(read: &mut BytesMut, left: &mut u64) -> Decoded {
    if read.is_empty() {
        return Decoded::More;
    }
    let some = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
    *left -= some as u64;
    Decoded::Frame(Frame::data(read.split_to(some).freeze()))
}

impl Chunked {
    fn take(&mut self, read: &mut BytesMut) -> Result<Decoded, MalformedAnswer> {
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
                    Some(_) => return Err(MalformedAnswer("a chunk that is longer than its size")),
                    None => return Ok(Decoded::More),
                },
                Self::Trailers => return trailers(read),
            }
        }
    }
}

/// The length of the line before a chunk, and the chunk's. `None`: it is not whole yet. httparse takes a line without a
/// digit for 0, and lets an extension run over a bare line feed.
fn size(read: &[u8]) -> Result<Option<(usize, u64)>, MalformedAnswer> {
    let bad = Err(MalformedAnswer("a chunk without a valid size"));
    if read.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
        return bad;
    }
    match httparse::parse_chunk_size(read) {
        Ok(Status::Complete((length, _))) if read[..length - 1].contains(&b'\n') => bad,
        Ok(Status::Complete(line)) => Ok(Some(line)),
        Ok(Status::Partial) if read.len() < LINES => Ok(None),
        _ => bad,
    }
}

fn trailers(read: &mut BytesMut) -> Result<Decoded, MalformedAnswer> {
    let bad = MalformedAnswer("trailers that are not HTTP/1.1");
    let mut lines = [httparse::EMPTY_HEADER; TRAILERS];
    let (length, lines) = match httparse::parse_headers(read, &mut lines) {
        Ok(Status::Complete(parsed)) => parsed,
        Ok(Status::Partial) if read.len() < LINES => return Ok(Decoded::More),
        _ => return Err(bad),
    };
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
    fn all(
        mut framing: BodyFraming,
        parts: &[&[u8]],
    ) -> Result<(Vec<u8>, Option<HeaderMap>, BytesMut), MalformedAnswer> {
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
                    None => return Err(MalformedAnswer("it broke off")),
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
        let endless = format!("5;{}", "x".repeat(LINES));
        let sizes = ["x\r\n", "\r\n", " \r\n", ";a\r\n", "-1\r\n", "1;a\nb\r\n", "fffffffffffffffff\r\n", &endless];
        for bad in sizes.into_iter().chain(["5\r\nhello!\r\n", "0\r\nA B: 1\r\n\r\n"]) {
            // Whole, if that were a chunk.
            let text = format!("{bad}0\r\n\r\n0\r\n\r\n");
            assert!(all(BodyFraming::CHUNKED, &[text.as_bytes()]).is_err(), "{bad}");
        }
        assert!(all(BodyFraming::CHUNKED, &[b"5\r\nhel"]).is_err());
    }
}
