//! `httpHeaders` of a pod's probe: what the gateway's own probes send as the kubelet does.

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Pod};

use crate::model::{Kind, ObjectRef, ProbeHeader, SecretBytes};
use crate::report::Reason;
use crate::translate::report::Reports;

/// Headers that belong to the connection and to the framing of the request. The prober sets them, as the kubelet does.
const OWN_HEADERS: [&str; 5] = ["connection", "content-length", "te", "trailer", "transfer-encoding"];

/// The headers that a probe declares.
#[derive(Debug, Default)]
pub(super) struct DeclaredHeaders {
    /// The first `Host`, if it is not empty.
    pub(super) host: Option<String>,
    /// All headers but `Host`.
    pub(super) others: Vec<ProbeHeader>,
}

/// Reads the headers of a probe of a container: `probe` is its name and request. Those that can't be sent are reported on the pod,
/// without their values.
pub(super) fn read(
    namespace: &str,
    pod: &Pod,
    container: &Container,
    probe: (&str, &HTTPGetAction),
    reports: &mut Reports,
) -> DeclaredHeaders {
    let (name, get) = probe;
    let mut read = DeclaredHeaders::default();
    for (index, header) in get.http_headers.iter().flatten().enumerate() {
        let mut report = |reason, message: &str, remedy: &str| {
            let object = ObjectRef::new(Kind::Pod, namespace, pod.metadata.name.as_deref().unwrap_or_default());
            let field = format!("{}.{name}.httpGet.httpHeaders[{index}]", field_of(pod, container));
            reports.warning(&object, field, reason, message, remedy);
        };
        if !is_value(&header.value) {
            let message = format!("the value of {} has control characters, so probes are sent without it", header.name);
            report(Reason::InvalidValue, &message, "write the value in one line, without control characters");
        } else if OWN_HEADERS.iter().any(|own| header.name.eq_ignore_ascii_case(own)) {
            let message = format!("probes are sent without {}: it belongs to the connection", header.name);
            report(Reason::Unsupported, &message, "remove it");
        } else if header.name.eq_ignore_ascii_case("host") {
            read.host = read.host.or_else(|| Some(header.value.clone()).filter(|host| !host.is_empty()));
        } else {
            let value = SecretBytes::new(header.value.as_bytes());
            read.others.push(ProbeHeader { name: header.name.clone(), value });
        }
    }
    read
}

/// The field of the pod that has the container.
fn field_of(pod: &Pod, container: &Container) -> String {
    let spec = pod.spec.as_ref();
    let sidecars = spec.and_then(|spec| spec.init_containers.as_ref());
    let lists = [("containers", spec.map(|spec| &spec.containers)), ("initContainers", sidecars)];
    let found = lists.into_iter().find_map(|(list, containers)| {
        let index = containers?.iter().position(|other| std::ptr::eq(other, container))?;
        Some(format!("spec.{list}[{index}]"))
    });
    found.unwrap_or_else(|| "spec".to_owned())
}

/// Whether a text can be the value of a header (RFC 9110 section 5.5).
fn is_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}
