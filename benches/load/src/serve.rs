//! The backend: `GET /bytes/N` gives N bytes, any other path names the backend, and any handshake opens an echo.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Error, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LARGEST: usize = 64 << 20;
const HEAD: usize = 64 * 1024;

/// Answers until the process ends. Prints `listening ADDR` once it does.
pub(crate) async fn run(listen: SocketAddr, name: String) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    println!("listening {}", listener.local_addr()?);
    accept(listener, name).await;
    Ok(())
}

/// Serves what comes in, without end.
pub(crate) async fn accept(listener: TcpListener, name: String) {
    let answers = Rc::new(Answers { name, bytes: RefCell::default() });
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(connection(stream, answers.clone()));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

struct Answers {
    name: String,
    /// Whole answers, by the length of their body.
    bytes: RefCell<HashMap<usize, Rc<[u8]>>>,
}

/// What a request asks for.
enum Request {
    Bytes(usize),
    Name,
    Session(String),
}

async fn connection(mut stream: TcpStream, answers: Rc<Answers>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut unread = Vec::with_capacity(1024);
    loop {
        let request = loop {
            if let Some(request) = parse(&mut unread)? {
                break request;
            }
            if stream.read_buf(&mut unread).await? == 0 {
                return Ok(());
            }
        };
        match request {
            Request::Bytes(length) => stream.write_all(&answers.bytes(length)).await?,
            Request::Name => stream.write_all(answers.name().as_bytes()).await?,
            Request::Session(grant) => {
                stream.write_all(grant.as_bytes()).await?;
                return crate::echo::run(stream, unread).await;
            }
        }
    }
}

/// Takes the first request off what has been read, if its head is whole.
fn parse(unread: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let invalid = |what: &str| Error::new(ErrorKind::InvalidData, what);
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(unread) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if unread.len() < HEAD => return Ok(None),
        _ => return Err(invalid("not a request")),
    };
    let header = |name: &str| head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    let path = head.path.unwrap_or_default();
    let request = if header("Upgrade").is_some_and(|header| header.value.eq_ignore_ascii_case(b"websocket")) {
        Request::Session(grant(header("Sec-WebSocket-Key").ok_or_else(|| invalid("a handshake without a key"))?.value))
    } else if let Some(length) = path.strip_prefix("/bytes/").and_then(|length| length.parse().ok()) {
        Request::Bytes(LARGEST.min(length))
    } else {
        Request::Name
    };
    unread.drain(..length);
    Ok(Some(request))
}

/// RFC 6455 section 4.2.2.
fn grant(key: &[u8]) -> String {
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = base64::engine::general_purpose::STANDARD.encode(hash.finish());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

impl Answers {
    fn bytes(&self, length: usize) -> Rc<[u8]> {
        let whole = || {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
            );
            let mut whole = head.into_bytes();
            whole.resize(whole.len() + length, b'x');
            whole.into()
        };
        self.bytes.borrow_mut().entry(length).or_insert_with(whole).clone()
    }

    fn name(&self) -> String {
        let name = &self.name;
        let length = name.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Backend: {name}\r\nContent-Length: {length}\r\n\r\n{name}"
        )
    }
}
