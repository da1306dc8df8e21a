use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::{close, closed, send_in_frames, tell};

const MIB: usize = 1024 * 1024;
const PROTOCOL: &str = "Sec-WebSocket-Protocol";

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Socket = WebSocketStream<Box<dyn Stream>>;

pub(crate) async fn run(url: &str, ca: &str, names: impl Iterator<Item = String>) -> Result<()> {
    for name in names {
        let told = match timeout(Duration::from_secs(40), one(url, ca, &name)).await {
            Ok(Ok(told)) => told,
            Ok(Err(error)) => json!({"error": format!("{error:#}")}),
            Err(_) => json!({"error": "40 s are over"}),
        };
        tell(&name, told);
    }
    Ok(())
}

async fn one(url: &str, ca: &str, name: &str) -> Result<Value> {
    let uri: Uri = format!("{url}/{name}").parse()?;
    let mut request = uri.clone().into_client_request()?;
    if name == "echo" {
        request.headers_mut().insert(PROTOCOL, HeaderValue::from_static("chat, superchat"));
    }
    let (mut socket, answer) =
        client_async_with_config(request, connect(&uri, ca).await?, Some(crate::no_limits())).await?;
    let subprotocol = answer.headers().get(PROTOCOL).and_then(|value| value.to_str().ok());
    let told = steps(&mut socket, name, subprotocol).await?;
    if matches!(name, "echo" | "fragments" | "pings" | "deflated" | "large") {
        socket.send(close(1000, "done")).await?;
        until_closed(&mut socket).await?;
    }
    Ok(told)
}

async fn connect(uri: &Uri, ca: &str) -> Result<Box<dyn Stream>> {
    let host = uri.host().context("no host")?.to_owned();
    let tcp = TcpStream::connect(("127.0.0.1", uri.port_u16().context("no port")?)).await?;
    tcp.set_nodelay(true)?;
    if uri.scheme_str() != Some("wss") {
        return Ok(Box::new(tcp));
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(host)?, tcp).await?))
}

async fn steps(socket: &mut Socket, name: &str, subprotocol: Option<&str>) -> Result<Value> {
    Ok(match name {
        "echo" => {
            let text = ask(socket, "å ∀ 🙂").await?;
            json!({"subprotocol": subprotocol, "deflate": false, "text": text, "bytes": echoed(socket, 100_000).await?})
        }
        "fragments" => {
            send_in_frames(socket, &["in ", "three ", "frames"]).await?;
            let whole = next(socket).await?.into_text()?.to_string();
            json!({"whole": whole, "parts": ask(socket, "fragments").await?})
        }
        "pings" => {
            socket.send(Message::Ping("are you there".into())).await?;
            let pong = socket.next().await.context("the end")?? == Message::Pong("are you there".into());
            json!({"pong": pong, "asked": ask(socket, "ping").await?})
        }
        "deflated" => json!({"deflate": false, "bytes": echoed(socket, MIB).await?}),
        "large" => json!({"bytes": echoed(socket, 64 * MIB).await?}),
        "client-closes" => {
            socket.send(close(4001, "enough")).await?;
            until_closed(socket).await?
        }
        "server-closes" => {
            socket.send("close 4002 go away now".into()).await?;
            until_closed(socket).await?
        }
        "server-aborts" => {
            socket.send("abort".into()).await?;
            json!({"code": until_closed(socket).await?["code"]})
        }
        "waits" => {
            ask(socket, "I am here").await?;
            until_closed(socket).await?
        }
        "client-aborts" => json!({"text": ask(socket, "I am here").await?}),
        _ => bail!("no such session"),
    })
}

/// The next message that is not a ping or a pong.
async fn next(socket: &mut Socket) -> Result<Message> {
    loop {
        match socket.next().await.context("the end")?? {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return Ok(message),
        }
    }
}

async fn ask(socket: &mut Socket, text: &str) -> Result<String> {
    socket.send(text.into()).await?;
    Ok(next(socket).await?.into_text()?.to_string())
}

/// What came back, once all was sent: no server here answers before it has the whole message.
async fn echoed(socket: &mut Socket, count: usize) -> Result<usize> {
    let sent: Vec<u8> = (0..count).map(|at| ((at + at / 251) & 255) as u8).collect();
    socket.send(Message::binary(sent.clone())).await?;
    let answer = next(socket).await?.into_data();
    ensure!(answer == sent, "{} bytes that are not the {count} sent", answer.len());
    Ok(answer.len())
}

/// What the server's Close says; 1006 where there is none.
async fn until_closed(socket: &mut Socket) -> Result<Value> {
    let mut told = json!({"code": 1006, "reason": ""});
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(frame))) => told = closed(frame),
            Some(Ok(_)) => {}
            None | Some(Err(Error::ConnectionClosed | Error::Protocol(_) | Error::Io(_))) => return Ok(told),
            Some(Err(error)) => return Err(error.into()),
        }
    }
}
