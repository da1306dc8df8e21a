//! TLS handshakes that fail: what is counted and logged of them.

use crate::proxy::client::tls_acceptor::{CertificateFault, HandshakeError};
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::metrics::RefusedFor;

/// Notes that a handshake has failed. Clients that are refused for their certificate are counted, and have a record in the access log.
pub(super) fn failed(context: &ConnectionContext, error: &HandshakeError) {
    let ConnectionContext { state, listener, peer, .. } = context;
    let cause = match error.certificate_fault() {
        Some(CertificateFault::Missing) => RefusedFor::ClientCertificateMissing,
        Some(CertificateFault::Invalid) => RefusedFor::ClientCertificateInvalid,
        None => return tracing::debug!(%peer, %error, "TLS handshake failed"),
    };
    state.metrics.client_refused(cause);
    if state.settings.access_log {
        let (host, outcome) = (error.server_name.as_deref(), cause.name());
        tracing::info!(target: "access", client = %peer, port = listener.port, host, outcome, detail = %error,
            "connection refused");
    }
}
