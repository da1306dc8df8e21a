//! A small chat, as a backend for the demo: one page, and a WebSocket that tells everyone what anyone says.
//!
//! `chat --listen 127.0.0.1:9101 --name chat`

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

const PAGE: &str = include_str!("chat.html");

/// Proxies on the way close sessions that are silent, some after 30 s.
const PING_EVERY: Duration = Duration::from_secs(10);

/// A small chat: a page and a WebSocket.
#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9101")]
    listen: SocketAddr,
    /// What this server calls itself.
    #[arg(long, default_value = "chat")]
    name: String,
}

/// The one room of the chat: who is in it, and the channel that everyone hears.
struct Room {
    server: String,
    people: Mutex<BTreeMap<u64, String>>,
    heard: broadcast::Sender<String>,
}

/// What a page sends: its name at first and whenever it changes, and what is said.
#[derive(Deserialize)]
struct Said {
    name: Option<String>,
    text: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.listen).await?;
    println!("{}: http://{}", args.name, listener.local_addr()?);
    let room = Arc::new(Room { server: args.name, people: Mutex::default(), heard: broadcast::channel(256).0 });
    loop {
        let (stream, _) = listener.accept().await?;
        let room = room.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(request, &room);
                async { Ok::<_, Infallible>(answer) }
            });
            let http = hyper::server::conn::http1::Builder::new();
            // A connection that breaks is its client's business.
            let _ = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

fn answer(request: Request<Incoming>, room: &Arc<Room>) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/healthz" => response(StatusCode::OK, "text/plain", "ok\n"),
        path if path.ends_with("/ws") => upgrade(request, room.clone()),
        path if path.ends_with('/') => response(StatusCode::OK, "text/html; charset=utf-8", PAGE),
        _ => response(StatusCode::NOT_FOUND, "text/plain", "not found\n"),
    }
}

fn response(status: StatusCode, content_type: &'static str, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The server's side of the handshake, RFC 6455 section 4.2.2.
fn upgrade(request: Request<Incoming>, room: Arc<Room>) -> Response<Full<Bytes>> {
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) else {
        let mut refusal = response(StatusCode::UPGRADE_REQUIRED, "text/plain", "this path speaks WebSocket\n");
        refusal.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        refusal.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return refusal;
    };
    let accept = derive_accept_key(key.as_bytes());
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            room.talk(socket).await;
        }
    });
    let mut response = response(StatusCode::SWITCHING_PROTOCOLS, "text/plain", "");
    let headers = response.headers_mut();
    headers.remove(CONTENT_TYPE);
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept.parse().expect("base64 is a header value"));
    response
}

impl Room {
    /// One person's stay: says what they say to everyone, and everyone's words to them, until they leave.
    async fn talk(&self, mut socket: WebSocketStream<TokioIo<Upgraded>>) {
        let id = fastrand::u64(..);
        let mut heard = self.heard.subscribe();
        let mut ping = tokio::time::interval(PING_EVERY);
        let greeting = json!({ "server": self.server }).to_string();
        if socket.send(Message::text(greeting)).await.is_err() {
            return;
        }
        loop {
            tokio::select! {
                said = socket.next() => match said {
                    Some(Ok(Message::Text(text))) => self.hear(id, &text),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                    Some(Ok(_)) => {}
                },
                _ = ping.tick() => {
                    if socket.send(Message::Ping(Bytes::new())).await.is_err() {
                        break;
                    }
                }
                Ok(message) = heard.recv() => {
                    if socket.send(Message::text(message)).await.is_err() {
                        break;
                    }
                }
            }
        }
        // Answers the Close frame, if there was one.
        let _ = socket.close(None).await;
        self.people().remove(&id);
        self.announce();
    }

    fn hear(&self, id: u64, message: &str) {
        let Ok(said) = serde_json::from_str::<Said>(message) else { return };
        if let Some(name) = said.name {
            self.people().insert(id, name);
            self.announce();
        }
        if let Some(text) = said.text {
            let from = self.people().get(&id).cloned().unwrap_or_else(|| "somebody".to_owned());
            self.tell(&json!({ "from": from, "text": text }));
        }
    }

    fn announce(&self) {
        let people: Vec<String> = self.people().values().cloned().collect();
        self.tell(&json!({ "people": people }));
    }

    fn tell(&self, message: &serde_json::Value) {
        // An error says that nobody is here to be told.
        let _ = self.heard.send(message.to_string());
    }

    fn people(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
