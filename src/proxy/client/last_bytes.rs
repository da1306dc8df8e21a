//! The end of a client's connection that is not served: with last bytes, or by a reset.

use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::proxy::limits::MAX_LINGER_BYTES;

/// Time that a client has to take them.
const LAST_BYTES_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for which a client may go on sending after its last answer, and the time for which it may be silent.
const LINGER_TIMEOUT: Duration = Duration::from_secs(30);
const LINGER_SILENCE: Duration = Duration::from_secs(5);
/// Bytes of a read that is thrown away.
const DISCARDED_READ_BYTES: usize = 16 * 1024;

/// Reads and drops what a client still sends, after its last answer has been sent and the sending half shut down, until the client ends
/// or a limit is reached. A connection with unread bytes would be reset, and the answer lost (RFC 9112 section 9.6).
pub(in crate::proxy) async fn linger(tcp: &mut TcpStream) {
    let mut scratch = vec![0; DISCARDED_READ_BYTES];
    let dropping = async {
        let mut left = MAX_LINGER_BYTES;
        while let Ok(Ok(count @ 1..)) = timeout(LINGER_SILENCE, tcp.read(&mut scratch)).await
            && left >= count
        {
            left -= count;
        }
    };
    let _ = timeout(LINGER_TIMEOUT, dropping).await;
}

/// Sends the bytes, and closes the connection, once the client has taken them.
pub(in crate::proxy) async fn send_last(mut stream: TcpStream, bytes: &[u8]) {
    let sending = async {
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        linger(&mut stream).await;
    };
    // A client that does not take them is left.
    let _ = timeout(LAST_BYTES_TIMEOUT, sending).await;
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
