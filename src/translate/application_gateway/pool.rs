//! `backendAddressPools`, read: addresses and the endpoints of Services.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use std::net::{IpAddr, SocketAddr};

use crate::api::application_gateway::{BackendAddress, BackendAddressPool, ServiceRef};
use crate::model::{Address, Endpoint, EndpointState, ObjectRef, Probe, Weight};
use crate::report::Reason;

use super::element::Element;
use super::reference;
use crate::translate::Options;
use crate::translate::lookup::Lookup;
use crate::translate::probe;
use crate::translate::report::Reports;
use crate::translate::service::name::{self, NameFault};
use crate::translate::service::{self, PortRef};

/// The members of a pool at one port.
#[derive(Debug)]
pub(super) struct PoolMembers {
    pub(super) endpoints: Vec<Endpoint>,
    /// The probe that pods declare; only for a pool whose members are those of one Service.
    pub(super) probe: Option<Probe>,
    /// Whether the Service keeps each client at one member.
    pub(super) keeps_clients: bool,
}

/// Reads the addresses of a pool. Those that are not valid are reported and left out.
pub(super) fn addresses(
    owner: &ObjectRef,
    Element { field, value }: &Element<'_, BackendAddressPool>,
    options: &Options,
    reports: &mut Reports,
) -> Vec<PoolTarget> {
    let listed = value.backend_addresses.iter().enumerate();
    listed
        .filter_map(|(index, address)| {
            let field = format!("{field}.backendAddresses[{index}]");
            match read(address, owner.namespace(), options) {
                Ok(target) => Some(target),
                Err((part, NameFault { reason, problem, remedy })) => {
                    reports.error(owner, format!("{field}{part}"), reason, problem, remedy);
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

fn read(address: &BackendAddress, namespace: &str, options: &Options) -> Result<PoolTarget, (&'static str, NameFault)> {
    let invalid = |problem: String| {
        let remedy = "give each address either an ipAddress or an fqdn";
        NameFault { reason: Reason::InvalidValue, problem, remedy }
    };
    match (&address.ip_address, &address.fqdn) {
        (Some(text), None) => {
            let part = ".ipAddress";
            let ip: IpAddr = text
                .parse()
                .map_err(|_| (part, invalid(format!("{text:?} is not an IP address, so it is left out"))))?;
            // Whether the API server or the gateway listens there depends on the port: the pool judges that.
            match options.addresses.forbids(SocketAddr::new(ip, 0)) {
                Some(kind) => Err((part, invalid(format!("{text} is {kind}, so it is left out")))),
                None => Ok(PoolTarget::Ip(ip)),
            }
        }
        (None, Some(text)) => name::read(text, namespace, options).map(PoolTarget::Name).map_err(|fault| {
            let problem = format!("{text:?} {}, so it is left out", fault.problem);
            (".fqdn", NameFault { problem, ..fault })
        }),
        (Some(_), Some(_)) => Err(("", invalid("it has both ipAddress and fqdn, so it is left out".to_owned()))),
        (None, None) => Err(("", invalid("it has neither ipAddress nor fqdn".to_owned()))),
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
    let (mut declared, mut keeps_clients) = (None, false);
    if let Some(reference) = &value.service_ref {
        let field = format!("{field}.serviceRef");
        let namespace = reference.namespace.as_deref().unwrap_or(owner.namespace());
        match service(owner, &field, reference, port, lookup, reports) {
            Ok(resolved) => {
                let own = value.backend_addresses.is_empty();
                declared = if own { probe::infer(&resolved, namespace, reports) } else { None };
                keeps_clients = resolved.keeps_clients;
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
    Ok(PoolMembers { endpoints, probe: declared, keeps_clients })
}

fn endpoint(target: &PoolTarget, port: u16) -> Endpoint {
    let address = match target {
        PoolTarget::Ip(ip) => Address::Socket(SocketAddr::new(*ip, port)),
        PoolTarget::Name(name) => Address::Name(name.clone(), port),
    };
    Endpoint { address, state: EndpointState::Ready, weight: Weight::ONE, target: None }
}

fn service<'a>(
    owner: &ObjectRef,
    field: &str,
    reference: &ServiceRef,
    port: u16,
    lookup: &Lookup<'a>,
    reports: &mut Reports,
) -> Result<service::ResolvedPort<'a>, Reason> {
    let port = match &reference.port {
        Some(IntOrString::Int(number)) => PortRef::Number(*number),
        Some(IntOrString::String(name)) => match name.parse() {
            Ok(number) => PortRef::Number(number),
            Err(_) => PortRef::Name(name),
        },
        None => PortRef::Number(port.into()),
    };
    let resolved = reference::service(lookup.snapshot, owner, reference)
        .and_then(|service| service::resolve(lookup, service.namespace(), service.name(), port, reports));
    resolved.map_err(|fault| {
        reports.fault(owner, field, &fault);
        fault.reason
    })
}
