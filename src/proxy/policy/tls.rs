//! What a request's connection must be like: cipher suites and HTTP/2. The handshake has seen to that for the host that the client named
//! there; over one connection requests for other hosts may come as well (RFC 9113 section 9.1.1).

use std::sync::Arc;

use http::Version;

use crate::proxy::client::tls_config;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::refusal::Refusal;
use crate::table::{ListenerTable, Target};

/// Lets a request through whose connection is as the host of its route asks for it. A connection that was made for that host stays as it
/// was made, also if its policy has changed since.
///
/// # Errors
/// 421: the connection was made for another host. 505: the host is not served by HTTP/2 in clear text.
pub(in crate::proxy) fn admit_connection(
    context: &ConnectionContext,
    listener: &ListenerTable,
    target: &Target,
    version: Version,
) -> Result<(), Refusal> {
    let Some(wanted) = listener.tls_policy_of(target) else { return Ok(()) };
    let terms = &wanted.terms;
    let is_version_allowed = terms.http2 || version != Version::HTTP_2;
    let Some(tls) = &context.tls else {
        return if is_version_allowed { Ok(()) } else { Err(Refusal::http_version()) };
    };
    if listener.tls_policy(context.server_name.as_deref()).is_some_and(|named| Arc::ptr_eq(named, wanted)) {
        return Ok(());
    }
    let suite = tls_config::name_of(tls.cipher_suite);
    let is_suite_allowed = terms.cipher_suites().iter().any(|allowed| allowed.name() == suite);
    if is_version_allowed && is_suite_allowed { Ok(()) } else { Err(Refusal::misdirected()) }
}
