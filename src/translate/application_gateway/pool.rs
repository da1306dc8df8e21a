//! `backendAddressPools`, read: addresses and the endpoints of Services.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use std::net::{IpAddr, SocketAddr};

use crate::api::application_gateway::{BackendAddress, BackendAddressPool, ServiceRef};
use crate::model::{Address, Endpoint, EndpointState, HostPattern, ObjectRef, Probe};
use crate::report::Reason;

use super::element::Element;
use crate::translate::lookup::Lookup;
use crate::translate::probe;
use crate::translate::report::Reports;
use crate::translate::service::{self, PortRef};

/// The members of a pool at one port.
#[derive(Debug)]
pub(super) struct PoolMembers {
    pub(super) endpoints: Vec<Endpoint>,
    /// The probe that pods declare; only for a pool whose members are those of one Service.
    pub(super) probe: Option<Probe>,
}

/// Reads the addresses of a pool. Those that are not valid are reported and left out.
pub(super) fn addresses(
    owner: &ObjectRef,
    Element { field, value }: &Element<'_, BackendAddressPool>,
    reports: &mut Reports,
) -> Vec<PoolTarget> {
    let listed = value.backend_addresses.iter().enumerate();
    listed
        .filter_map(|(index, address)| {
            let field = format!("{field}.backendAddresses[{index}]");
            match read(address) {
                Ok(target) => Some(target),
                Err((part, message)) => {
                    let remedy = "give each address either an ipAddress or an fqdn";
                    reports.error(owner, format!("{field}{part}"), Reason::InvalidValue, message, remedy);
                    None
                }
            }
        })
        .collect()
}

/// One address of a pool, without its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PoolTarget {
    Ip(IpAddr),
    Name(String),
}

fn read(address: &BackendAddress) -> Result<PoolTarget, (&'static str, String)> {
    match (&address.ip_address, &address.fqdn) {
        (Some(text), None) => {
            let ip: IpAddr = text
                .parse()
                .map_err(|_| (".ipAddress", format!("{text:?} is not an IP address, so it is left out")))?;
            match special(ip.to_canonical()) {
                Some(kind) => Err((".ipAddress", format!("{text} is {kind} address, so it is left out"))),
                None => Ok(PoolTarget::Ip(ip)),
            }
        }
        (None, Some(text)) => match HostPattern::ingress(text.trim_end_matches('.')) {
            Ok(HostPattern::Exact(name)) => Ok(PoolTarget::Name(name.to_string())),
            _ => Err((".fqdn", format!("{text:?} is not a DNS name, so it is left out"))),
        },
        (Some(_), Some(_)) => Err(("", "it has both ipAddress and fqdn, so it is left out".to_owned())),
        (None, None) => Err(("", "it has neither ipAddress nor fqdn".to_owned())),
    }
}

/// The kind of an address that can be no backend, by the rules of Kubernetes for EndpointSlices. `None`: it can be one.
fn special(ip: IpAddr) -> Option<&'static str> {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    match ip {
        _ if link_local => Some("a link-local"),
        ip if ip.is_unspecified() => Some("the unspecified"),
        ip if ip.is_multicast() => Some("a multicast"),
        _ => None,
    }
}

/// The members of a pool at `port`. A Service that can't be found is reported. It is an error only if the pool has no
/// other member.
pub(super) fn members(
    owner: &ObjectRef,
    Element { field, value }: &Element<'_, BackendAddressPool>,
    targets: &[PoolTarget],
    port: u16,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Result<PoolMembers, Reason> {
    let mut endpoints: Vec<Endpoint> = targets.iter().map(|target| endpoint(target, port)).collect();
    let mut declared = None;
    if let Some(reference) = &value.service_ref {
        let field = format!("{field}.serviceRef");
        match service(owner, &field, reference, port, lookup, reports) {
            Ok(resolved) => {
                declared = probe::infer(&resolved).filter(|_| value.backend_addresses.is_empty());
                endpoints.extend(resolved.endpoints);
            }
            Err(reason) if endpoints.is_empty() => return Err(reason),
            Err(_) => {}
        }
    }
    endpoints.sort();
    // What is listed is ready, whatever the Service says of the same address.
    endpoints.dedup_by(|later, kept| {
        let same = later.address == kept.address;
        if same {
            kept.state = kept.state.min(later.state);
        }
        same
    });
    if endpoints.is_empty() {
        let message = format!("the pool {:?} has no member", value.name);
        let remedy = "give it backendAddresses or a serviceRef whose Service has endpoints";
        reports.warning(owner, field, Reason::NoEndpoints, message, remedy);
    }
    Ok(PoolMembers { endpoints, probe: declared })
}

fn endpoint(target: &PoolTarget, port: u16) -> Endpoint {
    let address = match target {
        PoolTarget::Ip(ip) => Address::Socket(SocketAddr::new(*ip, port)),
        PoolTarget::Name(name) => Address::Name(name.clone(), port),
    };
    Endpoint { address, state: EndpointState::Ready, target: None }
}

fn service<'a>(
    owner: &ObjectRef,
    field: &str,
    ServiceRef { name, namespace, port: own }: &ServiceRef,
    port: u16,
    lookup: &Lookup<'a>,
    reports: &mut Reports,
) -> Result<service::ResolvedPort<'a>, Reason> {
    if let Some(other) = namespace.as_ref().filter(|namespace| **namespace != owner.namespace()) {
        reports.error(
            owner,
            format!("{field}.namespace"),
            Reason::RefNotPermitted,
            format!("Service {other}/{name} is in another namespace, and nothing there permits the reference"),
            "use a Service of the gateway's namespace; permissions (ReferenceGrant) are not read by this version",
        );
        return Err(Reason::RefNotPermitted);
    }
    let port = match own {
        Some(IntOrString::Int(number)) => PortRef::Number(*number),
        Some(IntOrString::String(name)) => match name.parse() {
            Ok(number) => PortRef::Number(number),
            Err(_) => PortRef::Name(name),
        },
        None => PortRef::Number(port.into()),
    };
    service::resolve(lookup, owner.namespace(), name, port, reports).map_err(|fault| {
        reports.fault(owner, field, &fault);
        fault.reason
    })
}
