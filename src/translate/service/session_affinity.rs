//! `sessionAffinity: ClientIP` of a Service.

use k8s_openapi::api::core::v1::Service;

use crate::model::{Kind, ObjectRef};
use crate::report::Reason;
use crate::translate::report::Reports;

/// The default of Kubernetes for `timeoutSeconds`. Users who have not written one have it too.
const DEFAULT_TIMEOUT_SECONDS: i32 = 10_800;

/// Whether the Service keeps each client at one endpoint. The member of a client is computed from its address, and nothing is stored
/// that could expire: a timeout that somebody has chosen is reported.
pub(super) fn keeps_clients(service: &Service, namespace: &str, name: &str, reports: &mut Reports) -> bool {
    let Some(spec) = service.spec.as_ref().filter(|spec| spec.session_affinity.as_deref() == Some("ClientIP")) else {
        return false;
    };
    let config = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
    let timeout =
        config.and_then(|config| config.timeout_seconds).filter(|timeout| *timeout != DEFAULT_TIMEOUT_SECONDS);
    if let Some(timeout) = timeout {
        reports.warning(
            &ObjectRef::new(Kind::Service, namespace, name),
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
            Reason::Unsupported,
            format!(
                "a client stays at its endpoint for as long as the endpoints stay the same, and not for {timeout} s"
            ),
            "remove it, or keep clients by a cookie with a Max-Age",
        );
    }
    true
}
