//! What a request's connection must be like: cipher suites, HTTP/2, the client's certificate. The handshake has seen to that for the host
//! that the client named there; over one connection requests for other hosts may come as well (RFC 9113 section 9.1.1).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::Version;

use crate::model::TlsTerms;
use crate::proxy::client::client_certificate::ClientCertificate;
use crate::proxy::client::tls_config;
use crate::proxy::client::tls_connection::NegotiatedTls;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::refusal::Refusal;
use crate::table::{ListenerTable, ServedTls, Target};

/// Lets a request through whose connection is as the host of its route asks for it. A connection that was made for that host stays as it
/// was made, also if its policy has changed since; only the client's certificate is verified again then. Returns the certificate, where
/// the host asks for one: it has been verified as the host asks for it.
///
/// # Errors
/// 421: the connection was made for another host, or its certificate is not trusted any more. 505: the host is not served by HTTP/2 in
/// clear text.
pub(in crate::proxy) fn admit_connection(
    context: &ConnectionContext,
    listener: &ListenerTable,
    target: &Target,
    version: Version,
) -> Result<Option<Arc<ClientCertificate>>, Refusal> {
    let Some(wanted) = listener.tls_policy_of(target) else { return Ok(None) };
    let terms = &*wanted.terms;
    let is_version_allowed = terms.http2 || version != Version::HTTP_2;
    let Some(tls) = &context.tls else {
        return match () {
            // Who has come by HTTPS to a trusted proxy has shown that one no certificate that counts here.
            () if terms.client_certificates.is_some() => Err(Refusal::misdirected()),
            () if !is_version_allowed => Err(Refusal::http_version()),
            () => Ok(None),
        };
    };
    let named = listener.tls_policy(context.server_name.as_deref());
    let is_made_for_it = named.is_some_and(|named| Arc::ptr_eq(named, wanted));
    if !is_made_for_it {
        let lacks_name = terms.requires_server_name && context.server_name.is_none();
        if !is_version_allowed || lacks_name || terms.client_certificates.is_some() || !has_suite(terms, tls) {
            return Err(Refusal::misdirected());
        }
    }
    match &terms.client_certificates {
        None => Ok(None),
        Some(_) => trusted(context, wanted).map(Some),
    }
}

fn has_suite(terms: &TlsTerms, tls: &NegotiatedTls) -> bool {
    let name = tls_config::name_of(tls.cipher_suite);
    terms.cipher_suites().iter().any(|suite| suite.name() == name)
}

/// The client's certificate, which the policy trusts. If the policy has changed since it did so last, it is verified again.
fn trusted(context: &ConnectionContext, wanted: &Arc<ServedTls>) -> Result<Arc<ClientCertificate>, Refusal> {
    let verifier = || tls_config::of_policy(&context.listener.tls, wanted)?.verifier.as_deref();
    let certificate = context.client_certificate.as_ref();
    let certificate = certificate.filter(|certificate| certificate.is_trusted_by(wanted, verifier));
    certificate.map(Arc::clone).ok_or_else(|| {
        context.is_untrusted.store(true, Ordering::Relaxed);
        Refusal::untrusted_certificate()
    })
}
