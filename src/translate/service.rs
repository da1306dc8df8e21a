//! Services: from a reference to a Service port to the endpoints behind it.

mod endpoints;
pub(in crate::translate) mod name;
mod session_affinity;

use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::model::{Address, Endpoint, EndpointState, Kind, ObjectRef, Weight};
use crate::report::Reason;

use super::lookup::Lookup;
use super::report::{Fault, Reports};
use endpoints::MergedEndpoints;

pub(super) use endpoints::terminating;

/// A reference to a port of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PortRef<'a> {
    Name(&'a str),
    Number(i32),
}

/// A port of a Service, with its endpoints.
#[derive(Debug)]
pub(super) struct ResolvedPort<'a> {
    /// The port's name, if it has one.
    pub(super) name: Option<String>,
    /// The port's number.
    pub(super) number: i32,
    /// The endpoints, sorted by address.
    pub(super) endpoints: Vec<Endpoint>,
    /// `targetPort` of the Service port: the port to look for among the containers of a pod.
    pub(super) target: IntOrString,
    /// The pod behind the Service whose name comes first, if it is known.
    pub(super) pod: Option<&'a Pod>,
    /// Whether a client stays at one endpoint (`sessionAffinity: ClientIP`).
    pub(super) keeps_clients: bool,
}

/// Resolves a reference to a Service port. Problems of EndpointSlices are reported on them; a reference that leads
/// nowhere is a fault, which the owner of the reference reports.
pub(super) fn resolve<'a>(
    lookup: &Lookup<'a>,
    namespace: &str,
    name: &str,
    port: PortRef<'_>,
    reports: &mut Reports,
) -> Result<ResolvedPort<'a>, Fault> {
    let Some(service) = lookup.service(namespace, name) else {
        return Err(Fault {
            reason: Reason::ServiceNotFound,
            part: ".name",
            message: format!("there is no Service {namespace}/{name}"),
            remedy: "create it or correct the name".to_owned(),
        });
    };
    let spec = service.spec.as_ref();
    if spec.and_then(|spec| spec.type_.as_deref()) == Some("ExternalName") {
        return external(lookup, service, namespace, name, port);
    }
    let undeclared = undeclared_port(service, port);
    let port = match &undeclared {
        Some(port) => port,
        None => find_port(service, namespace, name, port)?,
    };
    let mut merged = MergedEndpoints::default();
    for (key, slice) in lookup.slices(namespace, name) {
        let object = ObjectRef { kind: Kind::EndpointSlice, key: key.clone() };
        let without_ports = undeclared.as_ref().map(|port| port.port);
        merged.add_slice(slice, port, without_ports, &object, lookup, reports);
    }
    let pod = merged.pods.iter().find_map(|name| lookup.pod(namespace, name));
    Ok(ResolvedPort {
        name: name_of(port),
        number: port.port,
        endpoints: merged.endpoints.into_values().collect(),
        target: port.target_port.clone().unwrap_or(IntOrString::Int(port.port)),
        pod,
        keeps_clients: session_affinity::keeps_clients(service, namespace, name, reports),
    })
}

impl ResolvedPort<'_> {
    /// The label of the port, for people: its name, or its number where it has none.
    pub(super) fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.number.to_string())
    }
}

fn name_of(port: &ServicePort) -> Option<String> {
    port.name.clone().filter(|name| !name.is_empty())
}

fn find_port<'s>(
    service: &'s Service,
    namespace: &str,
    name: &str,
    wanted: PortRef<'_>,
) -> Result<&'s ServicePort, Fault> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let is_tcp = |port: &&ServicePort| port.protocol.as_deref().unwrap_or("TCP") == "TCP";
    let found = ports.iter().filter(is_tcp).find(|port| match wanted {
        PortRef::Name(name) => port.name.as_deref() == Some(name),
        PortRef::Number(number) => port.port == number,
    });
    found.ok_or_else(|| {
        let has: Vec<_> = ports.iter().filter(is_tcp).map(describe).collect();
        let has = if has.is_empty() { "it has no TCP port".to_owned() } else { format!("it has {}", has.join(", ")) };
        port_not_found(namespace, name, wanted, &has)
    })
}

/// The port of a headless Service that declares none: every port of its pods can be asked for by number, as in ingress-nginx.
fn undeclared_port(service: &Service, wanted: PortRef<'_>) -> Option<ServicePort> {
    let spec = service.spec.as_ref()?;
    let headless = spec.cluster_ip.as_deref() == Some("None") && spec.ports.as_ref().is_none_or(Vec::is_empty);
    match wanted {
        PortRef::Number(number) if headless => Some(ServicePort { port: number, ..ServicePort::default() }),
        PortRef::Number(_) | PortRef::Name(_) => None,
    }
}

/// A port in a list for people: `80 (http)`.
fn describe(port: &ServicePort) -> String {
    match &port.name {
        Some(name) => format!("{} ({name})", port.port),
        None => port.port.to_string(),
    }
}

fn port_not_found(namespace: &str, name: &str, wanted: PortRef<'_>, has: &str) -> Fault {
    let wanted = match wanted {
        PortRef::Name(name) => format!("{name:?}"),
        PortRef::Number(number) => number.to_string(),
    };
    Fault {
        reason: Reason::PortNotFound,
        part: ".port",
        message: format!("Service {namespace}/{name} has no TCP port {wanted}: {has}"),
        remedy: "refer to one of its ports, or add this one".to_owned(),
    }
}

/// Resolves a port of a Service of type ExternalName: a DNS name, with the port of the reference. A number need not be
/// declared in the Service; a name must be.
fn external<'a>(
    lookup: &Lookup<'a>,
    service: &Service,
    namespace: &str,
    name: &str,
    port: PortRef<'_>,
) -> Result<ResolvedPort<'a>, Fault> {
    let spec = service.spec.as_ref();
    if !lookup.options.external_names {
        return Err(Fault {
            reason: Reason::RefNotPermitted,
            part: ".name",
            message: format!("Service {namespace}/{name} is of type ExternalName, which this gateway does not serve"),
            remedy: "use a Service with endpoints, or ask the operator (--no-external-names)".to_owned(),
        });
    }
    let declared = find_port(service, namespace, name, port);
    let (port_name, number) = match (port, declared) {
        (_, Ok(declared)) => (name_of(declared), declared.port),
        (PortRef::Number(number), Err(_)) => (None, number),
        (PortRef::Name(_), Err(fault)) => return Err(fault),
    };
    let Some(number) = u16::try_from(number).ok().filter(|number| *number > 0) else {
        return Err(port_not_found(namespace, name, port, "a port is from 1 to 65535"));
    };
    let text = spec.and_then(|spec| spec.external_name.as_deref()).unwrap_or_default();
    let host =
        name::read(text, namespace, lookup.options).map_err(|name::NameFault { reason, problem, remedy }| Fault {
            reason,
            part: ".name",
            message: format!("Service {namespace}/{name} has the externalName {text:?}, which {problem}"),
            remedy: remedy.to_owned(),
        })?;
    Ok(ResolvedPort {
        name: port_name,
        number: number.into(),
        endpoints: vec![Endpoint {
            address: Address::Name(host, number),
            state: EndpointState::Ready,
            weight: Weight::ONE,
            target: None,
        }],
        target: IntOrString::Int(number.into()),
        pod: None,
        keeps_clients: false,
    })
}
