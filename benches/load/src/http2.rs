//! HTTP/2 as the client speaks it: several streams on each connection, one request at a time on each.

use std::cell::RefCell;
use std::io::{self, Error, ErrorKind};
use std::rc::Rc;

use bytes::Bytes;
use h2::Reason;
use h2::client::{self, SendRequest};
use http::{Method, Request, StatusCode, Uri, Version};
use tokio::sync::Mutex;
use tokio::task::spawn_local;

use crate::dial::{Dialer, Target};
use crate::requests::Ask;

/// What a browser gives: large enough that no answer waits for it.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 15 << 20;

/// A connection that several streams share, opened when there is a request and none is open.
struct Connection {
    dialer: Rc<Dialer>,
    target: Rc<Target>,
    request: Request<()>,
    open: RefCell<Option<SendRequest<Bytes>>>,
    opening: Mutex<()>,
}

/// One stream after the other of a connection.
pub(crate) struct Client(Rc<Connection>);

/// So many clients on a connection, which is open already if that succeeds.
pub(crate) async fn clients(dialer: Rc<Dialer>, target: Rc<Target>, streams: usize) -> io::Result<Vec<Client>> {
    let scheme = if target.is_tls() { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(target.host.as_str()).path_and_query(target.path.as_str());
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri.build().map_err(Error::other)?;
    let (open, opening) = (RefCell::default(), Mutex::default());
    let connection = Rc::new(Connection { dialer, target, request, open, opening });
    let _ = connection.sender().await;
    Ok((0..streams).map(|_| Client(connection.clone())).collect())
}

impl Connection {
    /// What sends on the connection, once that has room for a stream.
    async fn sender(&self) -> io::Result<SendRequest<Bytes>> {
        if let Some(ready) = self.ready().await {
            return Ok(ready);
        }
        let _opening = self.opening.lock().await;
        if let Some(ready) = self.ready().await {
            return Ok(ready);
        }
        let stream = self.dialer.connect(&self.target).await?;
        let mut builder = client::Builder::new();
        builder.initial_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW).enable_push(false);
        let (sender, connection) = builder.handshake(stream).await.map_err(failure)?;
        spawn_local(connection);
        *self.open.borrow_mut() = Some(sender.clone());
        sender.ready().await.map_err(failure)
    }

    async fn ready(&self) -> Option<SendRequest<Bytes>> {
        let open = self.open.borrow().clone();
        open?.ready().await.ok()
    }

    /// One request; the answer's status, and the length of its body.
    async fn ask(&self, mut sender: SendRequest<Bytes>) -> Result<(StatusCode, u64), h2::Error> {
        let (answer, _) = sender.send_request(self.request.clone(), true)?;
        let answer = answer.await?;
        let (status, mut body, mut length) = (answer.status(), answer.into_body(), 0);
        while let Some(data) = body.data().await {
            let data = data?;
            length += data.len() as u64;
            body.flow_control().release_capacity(data.len())?;
        }
        Ok((status, length))
    }
}

impl Ask for Client {
    async fn ask(&mut self) -> io::Result<u64> {
        loop {
            let sender = self.0.sender().await?;
            match self.0.ask(sender).await {
                // RFC 9113 section 6.8: the server ends the connection, and has not looked at this request.
                Err(error) if error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR) => {}
                answer => {
                    return match answer.map_err(failure)? {
                        (StatusCode::OK, length) => Ok(length),
                        (status, _) => Err(Error::other(format!("status {}", status.as_u16()))),
                    };
                }
            }
        }
    }
}

/// As an error of the stream below, if it is one.
fn failure(error: h2::Error) -> Error {
    if error.is_io() {
        return error.into_io().unwrap_or_else(|| ErrorKind::Other.into());
    }
    Error::other(error)
}
