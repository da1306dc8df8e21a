//! The end of a client's connection that is not served: with last bytes, or by a reset.

use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Time that a client has to take them.
const LAST_BYTES_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends the bytes, and closes the connection. What the client has sent is read before: a connection with unread bytes would be reset,
/// and what was sent to it lost.
pub(in crate::proxy) async fn send_last(mut stream: TcpStream, bytes: &[u8]) {
    let sending = async {
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut scratch = [0; 1024];
        while stream.read(&mut scratch).await.is_ok_and(|count| count > 0) {}
    };
    // A client that does not take them is left.
    let _ = tokio::time::timeout(LAST_BYTES_TIMEOUT, sending).await;
}

/// Closes the connection by a reset: an end in good order would say that all has been served.
pub(in crate::proxy) fn reset(stream: TcpStream) {
    reset_when_dropped(&stream);
}

/// Has the connection end by a reset when it is dropped.
pub(super) fn reset_when_dropped(stream: &TcpStream) {
    // This can't fail: the socket is open.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
