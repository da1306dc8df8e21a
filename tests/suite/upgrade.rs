//! Upgrades to protocols other than WebSocket, and what both kinds of sessions have in common: they outlive changes that are not about
//! them, and a peer that has gone is noticed.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};

use crate::gateway::{Gateway, PATIENCE, eventually, ingress, service};

const HOST: &str = "site.example";
const UPGRADE: (&str, &str) = ("steadygate.io/upgrade", "SPDY/3.1");

/// A backend that switches protocols where it is asked to, and then answers each byte with the next. All else it answers 200.
async fn backend() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(BufStream::new(stream)));
        }
    });
    address
}

async fn serve(mut stream: BufStream<TcpStream>) -> std::io::Result<()> {
    while let head = read_head(&mut stream).await?
        && !head.is_empty()
    {
        if !head.contains("upgrade: spdy/3.1") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
            stream.flush().await?;
            continue;
        }
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
            .await?;
        stream.flush().await?;
        while let Ok(byte) = stream.read_u8().await {
            stream.write_u8(byte.wrapping_add(1)).await?;
            stream.flush().await?;
        }
        return stream.shutdown().await;
    }
    Ok(())
}

/// A head, in lower case; empty at the end of the stream.
async fn read_head(stream: &mut BufStream<TcpStream>) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Ok(String::new());
        }
    }
    Ok(head.to_ascii_lowercase())
}

/// Opens a session as kubectl does. Gives the stream, and the head of the answer.
async fn open(gateway: &Gateway) -> (BufStream<TcpStream>, String) {
    let mut stream = BufStream::new(TcpStream::connect(gateway.address(80)).await.expect("connects"));
    let request = format!(
        "POST /exec HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sends");
    stream.flush().await.expect("sends");
    let head = tokio::time::timeout(PATIENCE, read_head(&mut stream)).await.expect("in time").expect("an answer");
    (stream, head)
}

async fn exchange(stream: &mut BufStream<TcpStream>, byte: u8) -> u8 {
    stream.write_u8(byte).await.expect("sends");
    stream.flush().await.expect("sends");
    tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("in time").expect("open")
}

fn site(annotations: &[(&str, &str)]) -> String {
    ingress("site", HOST, annotations, &[("/", "web")])
}

async fn start(annotations: &[(&str, &str)]) -> Gateway {
    let services = service("web", &[(backend().await, true)]);
    let gateway = Gateway::start(&[("service.yaml", &services), ("site.yaml", &site(annotations))]).await;
    eventually("the backend is up", async || gateway.get(HOST, "/").await.status == http::StatusCode::OK).await;
    gateway
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_keeps_what_its_route_allowed_and_ends_with_its_streams_when_the_gateway_drains() {
    let gateway = start(&[UPGRADE]).await;
    let (mut session, head) = open(&gateway).await;
    assert!(head.starts_with("http/1.1 101 ") && head.contains("\r\nupgrade: spdy/3.1\r\n"), "{head}");
    assert_eq!(exchange(&mut session, 0x88).await, 0x89);

    // The route allows it no more: the session stays, and no other opens.
    gateway.edit("site.yaml", &site(&[])).await;
    assert!(open(&gateway).await.1.starts_with("http/1.1 200 "));
    assert_eq!(exchange(&mut session, 1).await, 2);

    // The gateway drains: the end of the stream, and nothing before it.
    let Gateway { dir: _dir, app } = gateway;
    let draining = tokio::spawn(app.drain(PATIENCE));
    let mut rest = Vec::new();
    let end = tokio::time::timeout(PATIENCE, session.read_to_end(&mut rest)).await;
    end.expect("in time").expect("no reset");
    assert_eq!(rest, b"");
    drop(session);
    assert_eq!(draining.await.expect("drains"), 0);
}

/// The timer that the kernel has set for the connection between these addresses (`tr` of `/proc/net/tcp`): 2 is that of keep-alive.
fn timer(local: SocketAddr, peer: SocketAddr) -> Option<String> {
    let hex = |address: SocketAddr| match address {
        SocketAddr::V4(v4) => format!("{:08X}:{:04X}", u32::from_ne_bytes(v4.ip().octets()), v4.port()),
        SocketAddr::V6(_) => unreachable!("IPv4 alone is bound here"),
    };
    let (local, peer) = (hex(local), hex(peer));
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.find(|row| row.get(1) == Some(&&*local) && row.get(2) == Some(&&*peer))
        .and_then(|row| row.get(5)?.split(':').next().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kernel_watches_a_silent_client() {
    let gateway = start(&[UPGRADE]).await;
    let (session, _) = open(&gateway).await;
    let client = session.get_ref().local_addr().expect("connected");
    eventually("keep-alive", async || timer(gateway.address(80), client).as_deref() == Some("02")).await;
}
