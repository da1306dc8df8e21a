//! The drain of the gateway, and sessions that open while it begins.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::gateway::{Gateway, PATIENCE, get, ingress, service};
use crate::pod::Pod;

/// Opens a session and sends a message at once. `None`: the gateway does not accept the connection any more.
async fn open_and_talk(address: std::net::SocketAddr) -> Option<u16> {
    let stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let mut session = match tokio_tungstenite::client_async("ws://site.example/", stream).await {
        Ok((session, _)) => session,
        Err(Error::Io(_) | Error::Protocol(_)) => return None,
        Err(error) => panic!("neither opened nor refused: {error}"),
    };
    // Refused where the Close has been read already.
    let _ = session.send("hello".into()).await;
    let mut code = None;
    while let Some(message) = session.next().await {
        if let Message::Close(close) = message.expect("not reset") {
            code = close.map(|close| close.code.into());
        }
    }
    Some(code.expect("a session that was granted ends with a Close"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_opens_as_the_drain_begins_is_closed() {
    let pod = Pod::start("one").await;
    let mut told = 0;
    for round in 0..20 {
        let site = ingress("site", "site.example", &[], &[("/", "web")]);
        let services = service("web", &[(pod.address, true)]);
        let gateway = Gateway::start(&[("service.yaml", &services), ("site.yaml", &site)]).await;
        let Gateway { dir: _dir, app } = gateway;
        let address = app.addresses.borrow()[&80];
        get(address, "site.example", "/").await;
        let clients: Vec<_> = (0..30)
            .map(|client| {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_micros(100 * client)).await;
                    open_and_talk(address).await
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(200 * round)).await;
        assert_eq!(app.drain(PATIENCE).await, 0);
        for client in clients {
            let code = tokio::time::timeout(PATIENCE, client).await.expect("ends").expect("no client fails");
            assert!(code.is_none_or(|code| code == 1001), "{code:?}");
            told += usize::from(code.is_some());
        }
    }
    assert!(told > 50, "{told} sessions met the drain");
}
