//! HTTP/1.1 as the client speaks it: one request after another on a connection that is kept.

use std::io::{self, Error, ErrorKind};
use std::rc::Rc;

use crate::dial::{Dialer, Target};
use crate::requests::Ask;
use crate::stream::Stream;

/// A place for one connection, which is opened when there is a request and none is open.
pub(crate) struct Client {
    dialer: Rc<Dialer>,
    target: Rc<Target>,
    request: Vec<u8>,
    stream: Option<Stream>,
}

impl Client {
    pub(crate) fn new(dialer: Rc<Dialer>, target: Rc<Target>) -> Client {
        let more = target.header.as_ref().map(|header| format!("{header}\r\n"));
        let request = request(&target, more.as_deref().unwrap_or_default());
        Client { dialer, target, request, stream: None }
    }

    /// Opens the connection before there is a request.
    pub(crate) async fn open(&mut self) -> io::Result<()> {
        self.stream = Some(self.dialer.connect(&self.target).await?);
        Ok(())
    }
}

impl Ask for Client {
    /// One that is cancelled leaves no connection behind.
    async fn ask(&mut self) -> io::Result<u64> {
        let mut stream = match self.stream.take().and_then(Stream::if_open) {
            Some(stream) => stream,
            None => self.dialer.connect(&self.target).await?,
        };
        let answer = exchange(&mut stream, &self.request).await?;
        if answer.is_kept {
            self.stream = Some(stream);
        }
        answer.expect(self.target.status)
    }
}

/// The bytes of a GET; `more` are headers, each with its end of line.
pub(crate) fn request(target: &Target, more: &str) -> Vec<u8> {
    let Target { path, host, .. } = target;
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: load/1.0\r\nAccept: */*\r\n{more}\r\n").into_bytes()
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn exchange(stream: &mut Stream, request: &[u8]) -> io::Result<Answer> {
    stream.send(request).await?;
    let mut answer = Answer::default();
    while !stream.receive(|bytes| answer.read(bytes)).await?? {}
    Ok(answer)
}

/// An answer, as far as it has come.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Length of what has come of the body; with its framing, if it is chunked.
    pub(crate) bytes: u64,
    /// The header `X-Backend`.
    pub(crate) backend: Option<String>,
    is_kept: bool,
    /// What has come of a head that is not whole yet.
    head: Vec<u8>,
    body: Body,
}

#[derive(Default, PartialEq)]
enum Body {
    #[default]
    NotYet,
    Length(u64),
    /// The last bytes that came: it ends with an empty chunk, and no trailers are expected.
    Chunked([u8; 5]),
    UntilEnd,
}

impl Answer {
    /// The length of its body, if its status is this.
    pub(crate) fn expect(&self, status: u16) -> io::Result<u64> {
        if self.status == status { Ok(self.bytes) } else { Err(Error::other(format!("status {}", self.status))) }
    }

    /// Reads on, nothing being the stream's end; tells whether the answer is whole.
    fn read(&mut self, mut bytes: &[u8]) -> io::Result<bool> {
        if bytes.is_empty() {
            return if self.body == Body::UntilEnd { Ok(true) } else { Err(ErrorKind::UnexpectedEof.into()) };
        }
        if self.body == Body::NotYet {
            if self.head.is_empty()
                && let Some(length) = self.parse(bytes)?
            {
                bytes = &bytes[length..];
            } else {
                let held = self.head.len();
                self.head.extend_from_slice(bytes);
                let head = std::mem::take(&mut self.head);
                let Some(length) = self.parse(&head)? else {
                    self.head = head;
                    return Ok(false);
                };
                bytes = &bytes[length - held..];
            }
        }
        self.bytes += bytes.len() as u64;
        match &mut self.body {
            Body::Length(length) if self.bytes > *length => Err(ErrorKind::InvalidData.into()),
            Body::Length(length) => Ok(self.bytes == *length),
            Body::Chunked(last) => {
                for byte in &bytes[bytes.len().saturating_sub(5)..] {
                    last.rotate_left(1);
                    last[4] = *byte;
                }
                Ok(last == b"0\r\n\r\n")
            }
            Body::UntilEnd | Body::NotYet => Ok(false),
        }
    }

    /// Reads the head, if it is whole, and tells how long it is.
    fn parse(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let mut headers = [httparse::EMPTY_HEADER; 48];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(ErrorKind::InvalidData.into()),
        };
        self.status = head.code.unwrap_or_default();
        self.is_kept = head.version == Some(1);
        self.body = if self.status == 204 || self.status == 304 { Body::Length(0) } else { Body::UntilEnd };
        for header in head.headers.iter() {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                let length = std::str::from_utf8(header.value).ok().and_then(|length| length.parse().ok());
                self.body = Body::Length(length.ok_or(ErrorKind::InvalidData)?);
            } else if is("transfer-encoding") {
                self.body = Body::Chunked([0; 5]);
            } else if is("connection") {
                self.is_kept &= !header.value.eq_ignore_ascii_case(b"close");
            } else if is("x-backend") {
                self.backend = Some(String::from_utf8_lossy(header.value).into_owned());
            }
        }
        self.is_kept &= self.body != Body::UntilEnd;
        Ok(Some(length))
    }
}
