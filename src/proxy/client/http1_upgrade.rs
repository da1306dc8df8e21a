//! What becomes of a client's HTTP/1.1 connection whose request asks for another protocol.

use std::io;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::ClientStream;

/// A connection that has been taken out of HTTP/1.1, and the bytes that came behind the request.
type Upgraded = (ClientStream, Bytes);

/// The connection that a request asks to have upgraded.
pub(in crate::proxy) struct UpgradeRequest(oneshot::Receiver<Upgraded>);

/// Where the connection goes once the answer that upgrades it has been sent.
pub(in crate::proxy) struct UpgradePlace(oneshot::Sender<Upgraded>);

/// Both ends of an upgrade.
pub(in crate::proxy) fn upgrade() -> (UpgradeRequest, UpgradePlace) {
    let (place, request) = oneshot::channel();
    (UpgradeRequest(request), UpgradePlace(place))
}

impl UpgradeRequest {
    /// Waits until the answer has been sent.
    ///
    /// # Errors
    /// It could not be sent, or was another than expected.
    pub(in crate::proxy) async fn open(self) -> io::Result<Upgraded> {
        self.0.await.map_err(|_| io::ErrorKind::ConnectionReset.into())
    }
}

impl UpgradePlace {
    /// Gives the connection away. It is closed if nobody waits for it any more.
    pub(in crate::proxy) fn give(self, stream: ClientStream, first: Bytes) {
        let _ = self.0.send((stream, first));
    }
}
