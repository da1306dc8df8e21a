//! The peer of tokio-tungstenite, which has no permessage-deflate.

mod client;
mod server;

use std::io::{Read, stdin};
use std::net::SocketAddr;

use anyhow::{Context, Result};
use futures_util::{Sink, SinkExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("server") {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        println!("{}", listener.local_addr()?.port());
        let input = tokio::task::spawn_blocking(|| stdin().read_to_end(&mut Vec::new()));
        return tokio::select! {
            ended = server::serve(listener) => ended,
            _ = input => Ok(()),
        };
    }
    let (url, ca) = (arguments.next().context("URL is missing")?, arguments.next().context("CA is missing")?);
    client::run(&url, &ca, arguments).await
}

/// Prints a line; what is told is an object.
fn tell(session: &str, mut told: Value) {
    told["session"] = json!(session);
    println!("{told}");
}

fn no_limits() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(None).max_frame_size(None)
}

fn close(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: reason.to_owned().into() }))
}

fn closed(frame: Option<CloseFrame>) -> Value {
    frame.map_or(
        json!({"code": 1005, "reason": ""}),
        |frame| json!({"code": u16::from(frame.code), "reason": frame.reason.as_str()}),
    )
}

/// A text in a frame for each part.
async fn send_in_frames(socket: &mut (impl Sink<Message, Error = Error> + Unpin), parts: &[&str]) -> Result<(), Error> {
    for (index, part) in parts.iter().enumerate() {
        let kind = if index == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(Utf8Bytes::from(*part), OpCode::Data(kind), index == parts.len() - 1);
        socket.send(Message::Frame(frame)).await?;
    }
    Ok(())
}
