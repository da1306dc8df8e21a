//! `trustedClientCertificates` and `clientAuthConfiguration` of profiles: which certificates clients have to show.

use crate::api::application_gateway::{
    ClientAuthConfiguration, ClientAuthMode, ClientRevocation, Reference, TrustedClientCertificate,
};
use crate::model::ObjectRef;
use crate::report::Reason;
use crate::source::Snapshot;
use crate::translate::report::Reports;
use crate::translate::tls_profile::ClientCas;

use super::element::Elements;
use super::reference::{self, CaElement};
use super::ssl_policy::NotSetUp;

/// The certificates that the clients of a profile have to show; `None`: they are not asked for any. `listed`: the references at
/// `trustedClientCertificates` of the profile, whose field is `profile`.
pub(super) fn read(
    owner: &ObjectRef,
    elements: &Elements<'_>,
    profile: &str,
    listed: &[Reference],
    configuration: Option<&ClientAuthConfiguration>,
    snapshot: &Snapshot,
    reports: &mut Reports,
) -> Result<Option<ClientCas>, NotSetUp> {
    let configuration = configuration.map(
        |ClientAuthConfiguration {
             verify_client_cert_issuer_dn,
             verify_client_revocation,
             verify_client_auth_mode,
         }| {
            (
                verify_client_cert_issuer_dn.unwrap_or_default(),
                *verify_client_revocation == Some(ClientRevocation::Ocsp),
                *verify_client_auth_mode == Some(ClientAuthMode::Passthrough),
            )
        },
    );
    let (issuer_is_last_ca, asks_ocsp, passes_all) = configuration.unwrap_or_default();
    let field = format!("{profile}.clientAuthConfiguration");
    let mut close = |field: &str, message: &str, remedy: &str| {
        reports.error(owner, field, Reason::AccessControl, message, remedy);
        Err(NotSetUp)
    };
    if asks_ocsp {
        let message =
            "nobody is asked here whether a client's certificate was revoked, so what the profile guards answers 503";
        let remedy = "issue certificates that are valid for a short time, and write None; a CA certificate that is removed lets none of its certificates in";
        return close(&format!("{field}.verifyClientRevocation"), message, remedy);
    }
    if passes_all {
        let message = "certificates that nobody verifies let nobody in here, so what the profile guards answers 503";
        let remedy = "write Strict, and list the CA certificates in trustedClientCertificates";
        return close(&format!("{field}.verifyClientAuthMode"), message, remedy);
    }
    if listed.is_empty() {
        return match issuer_is_last_ca {
            false => Ok(None),
            true => {
                let message =
                    "the profile lists no CA certificate whose name could be compared, so what it guards answers 503";
                close(&format!("{field}.verifyClientCertIssuerDN"), message, "list trustedClientCertificates")
            }
        };
    }
    let mut authorities = Vec::new();
    for (index, reference) in listed.iter().enumerate() {
        let field = format!("{profile}.trustedClientCertificates[{index}]");
        let found = elements.client_roots.find(owner, reference, &field, reports).map_err(|_| NotSetUp)?;
        let TrustedClientCertificate { name: _, secret_ref, config_map_ref } = found.value;
        let element =
            CaElement { field: &found.field, secret: secret_ref.as_ref(), config_map: config_map_ref.as_ref() };
        authorities.push(reference::ca(snapshot, owner, element, reports).map_err(|_| NotSetUp)?);
    }
    Ok(Some(ClientCas { authorities, issuer_is_last_ca }))
}
