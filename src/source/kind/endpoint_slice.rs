//! EndpointSlice (kubernetes, pkg/apis/discovery/validation).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};

use super::{KindRules, trim};
use crate::source::identity::Identity;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::validate::metadata::{self, refuse_unless};
use crate::source::validate::name;
use crate::source::validate::port::{PROTOCOLS, check_one_of, check_port_number};

const MAX_ENDPOINTS: usize = 1_000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 100;

impl KindRules for EndpointSlice {
    type Resource = Self;

    fn schema() -> Schema {
        Schema::of::<Self>()
    }

    /// Names and protocols of ports.
    fn complete(slice: &mut Self) {
        for port in slice.ports.iter_mut().flatten() {
            port.name.get_or_insert_default();
            port.protocol.get_or_insert_with(|| "TCP".to_owned());
        }
    }

    fn validate(slice: &Self, problems: &mut FieldProblems) {
        check_slice(slice, problems);
    }

    fn trim(slice: &mut Self) {
        trim::trim_metadata(&mut slice.metadata);
        // Among others the time of the last change, which changes with nothing that matters.
        slice.metadata.annotations = None;
        slice.metadata.generation = None;
    }

    fn identity(&self) -> Identity {
        Identity::from(&self.metadata)
    }
}

fn check_slice(slice: &EndpointSlice, problems: &mut FieldProblems) {
    metadata::check(&slice.metadata, name::subdomain, problems);
    check_one_of("addressType", &slice.address_type, &["IPv4", "IPv6", "FQDN"], problems);
    let endpoints = slice.endpoints.as_deref().unwrap_or_default();
    check_at_most("endpoints", "endpoints", endpoints.len(), MAX_ENDPOINTS, problems);
    for (index, endpoint) in endpoints.iter().enumerate().take(MAX_ENDPOINTS) {
        check_endpoint(&format!("endpoints[{index}]"), endpoint, &slice.address_type, problems);
    }
    let ports = slice.ports.as_deref().unwrap_or_default();
    check_at_most("ports", "ports", ports.len(), MAX_PORTS, problems);
    check_ports(ports, problems);
}

fn check_endpoint(field: &str, endpoint: &Endpoint, family: &str, problems: &mut FieldProblems) {
    let field = format!("{field}.addresses");
    if endpoint.addresses.is_empty() {
        problems.malformed(field.as_str(), "an endpoint needs at least one address", "write its address");
    }
    check_at_most(&field, "addresses", endpoint.addresses.len(), MAX_ADDRESSES, problems);
    for (index, address) in endpoint.addresses.iter().enumerate().take(MAX_ADDRESSES) {
        let field = format!("{field}[{index}]");
        match family {
            "IPv4" => check_address(&field, address, family, address.parse::<Ipv4Addr>().map(IpAddr::V4), problems),
            "IPv6" => check_address(&field, address, family, address.parse::<Ipv6Addr>().map(IpAddr::V6), problems),
            "FQDN" => refuse_unless(&field, name::subdomain(address), problems),
            _ => {}
        }
    }
}

/// Link-local addresses are refused, as an API server refuses them: a cloud's metadata service has one.
/// Loopback addresses are not: without a cluster the backends of a directory run on this host.
fn check_address<E>(field: &str, text: &str, family: &str, parsed: Result<IpAddr, E>, problems: &mut FieldProblems) {
    let Ok(address) = parsed else {
        let message = format!("{} is not an {family} address", name::quoted(text));
        return problems.refuse(field, message, format!("write an {family} address, or change addressType"));
    };
    let address = address.to_canonical();
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let what = if address.is_unspecified() {
        "the unspecified address"
    } else if link_local {
        "a link-local address"
    } else if address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast()) {
        "a multicast address"
    } else {
        return;
    };
    problems.refuse(field, format!("{address} is {what}"), "write the address of the backend itself");
}

fn check_ports(ports: &[EndpointPort], problems: &mut FieldProblems) {
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let field = format!("ports[{index}]");
        let named = port.name.as_deref().unwrap_or_default();
        if !named.is_empty() {
            refuse_unless(&format!("{field}.name"), name::label(named), problems);
        }
        if !names.insert(named) {
            let message = format!("another port is called {} as well", name::quoted(named));
            problems.refuse(format!("{field}.name"), message, "give each port its own name");
        }
        check_one_of(&format!("{field}.protocol"), port.protocol.as_deref().unwrap_or("TCP"), &PROTOCOLS, problems);
        if let Some(number) = port.port {
            check_port_number(&format!("{field}.port"), number, problems);
        }
    }
}

fn check_at_most(field: &str, what: &str, count: usize, most: usize, problems: &mut FieldProblems) {
    if count > most {
        let message = format!("{count} {what} are too many");
        problems.refuse(field, message, format!("write at most {most}, and the others in another EndpointSlice"));
    }
}
