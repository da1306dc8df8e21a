//! The CA certificates that verify the backends of an Ingress: elements of its class's ApplicationGateway.

use super::elements::report_missing;
use super::parsed::ParsedIngress;
use crate::model::SecretBytes;
use crate::report::Reason;
use crate::translate::class::annotation_field;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::tls;

/// The CA certificates that the annotation or the class names, as one PEM text; `None`: the well-known ones are trusted. If one can't be
/// read, the backends can't be used: they must not prove themselves by another CA.
pub(super) fn read(
    ingress: &ParsedIngress,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Result<Option<SecretBytes>, Reason> {
    let field = || annotation_field("appgw.ingress.kubernetes.io/appgw-trusted-root-certificate");
    let mut pem = Vec::new();
    for name in &ingress.settings.agic.trusted_roots {
        let gateway = ingress.gateway();
        let Some(object) = gateway.and_then(|gateway| gateway.roots.get(name)) else {
            let (each, list) = ("trusted root certificate", "trustedRootCertificates");
            report_missing(&ingress.owner, gateway, field(), each, list, name, reports);
            return Err(Reason::ElementNotFound);
        };
        match tls::trusted_roots(lookup, object) {
            Ok(root) => pem.extend(root),
            Err(fault) => {
                reports.fault(&ingress.owner, &field(), &fault);
                return Err(fault.reason);
            }
        }
        pem.push(b'\n');
    }
    Ok(if pem.is_empty() { None } else { Some(SecretBytes::new(&pem)) })
}
