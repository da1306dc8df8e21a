use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

pub(crate) async fn serve(listener: TcpListener) -> Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            if is_probe(&stream).await {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
                return;
            }
            let mut path = String::new();
            // What tungstenite's callback is made of.
            #[allow(clippy::result_large_err)]
            let choose = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
                path = request.uri().path().to_owned();
                let offered =
                    request.headers().get(PROTOCOL).and_then(|offered| offered.to_str().ok()).unwrap_or_default();
                if let Some(known) = offered.split(',').map(str::trim).find(|name| ["chat", "superchat"].contains(name))
                {
                    response
                        .headers_mut()
                        .insert(PROTOCOL, HeaderValue::from_str(known).map_err(|_| ErrorResponse::new(None))?);
                }
                Ok(response)
            };
            if let Ok(socket) = accept_hdr_async_with_config(stream, choose, Some(crate::no_limits())).await {
                talk(socket, &path).await;
            }
        });
    }
}

/// Whether a plain request comes, which tungstenite would leave without an answer.
async fn is_probe(stream: &TcpStream) -> bool {
    let mut head = [0; 4096];
    let length = stream.peek(&mut head).await.unwrap_or(0);
    !head[..length].windows(8).any(|word| word.eq_ignore_ascii_case(b"Upgrade:"))
}

async fn talk(mut socket: WebSocketStream<TcpStream>, path: &str) {
    let mut ours = false;
    while let Some(Ok(message)) = socket.next().await {
        let words: Vec<&str> = match &message {
            Message::Text(text) => text.splitn(3, ' ').collect(),
            _ => Vec::new(),
        };
        let sent = match (words.as_slice(), &message) {
            (["fragments"], _) => crate::send_in_frames(&mut socket, &["one ", "two ", "three"]).await,
            (["ping"], _) => socket.send(Message::Ping("are you there".into())).await,
            (["close", code, reason], _) => {
                ours = true;
                socket.send(crate::close(code.parse().unwrap_or(1011), reason)).await
            }
            (["abort"], _) => return,
            (_, Message::Text(_) | Message::Binary(_)) => socket.send(message).await,
            (_, Message::Pong(_)) => socket.send("pong".into()).await,
            (_, Message::Close(frame)) => {
                if !ours {
                    ours = true;
                    crate::tell(path, crate::closed(frame.clone()));
                }
                Ok(())
            }
            _ => Ok(()),
        };
        if sent.is_err() {
            break;
        }
    }
    if !ours {
        crate::tell(path, json!({"code": 1006, "reason": ""}));
    }
}
