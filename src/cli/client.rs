//! The admin port of a gateway that runs, asked from this machine.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Time in which the whole answer must have come.
const LIMIT: Duration = Duration::from_secs(60);
/// Largest answer that is read.
const MAX_ANSWER: usize = 1 << 30;

/// Reads `--admin`.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.replacen("localhost:", "127.0.0.1:", 1);
    text.parse().map_err(|_| "write an IP address and port, such as 127.0.0.1:9180 or [::1]:9180".to_owned())
}

/// Asks for a path of the admin port; with a body, by POST. Gives the answer's body.
///
/// # Errors
/// Nobody is there, or the answer is no success.
pub(super) fn ask(admin: SocketAddr, path: &str, body: Option<String>) -> anyhow::Result<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { tokio::time::timeout(LIMIT, exchange(admin, path, body)).await });
    let (status, answer) = answer.with_context(|| format!("{admin}{path}: no answer within {LIMIT:?}"))??;
    if !status.is_success() {
        bail!("{admin} answered {}: {}", status.as_u16(), String::from_utf8_lossy(&answer).trim_end());
    }
    Ok(answer)
}

async fn exchange(admin: SocketAddr, path: &str, body: Option<String>) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = connect(admin).await.with_context(|| {
        format!("no gateway has its admin port at {admin}: name it with --admin ADDR:PORT, as in steadygate run")
    })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, admin.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.unwrap_or_default())))?;
    let exchange = async {
        let response = sender.send_request(request).await.context("no answer of an admin port")?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer can't be read: {error}"))?;
        Ok((status, body.to_bytes()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

/// Where a gateway listens at every address, it is asked at this machine's own.
async fn connect(admin: SocketAddr) -> std::io::Result<TcpStream> {
    if !admin.ip().is_unspecified() {
        return TcpStream::connect(admin).await;
    }
    match TcpStream::connect((Ipv4Addr::LOCALHOST, admin.port())).await {
        Err(_) if admin.is_ipv6() => TcpStream::connect((Ipv6Addr::LOCALHOST, admin.port())).await,
        connected => connected,
    }
}
