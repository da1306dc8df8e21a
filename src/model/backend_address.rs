//! Which addresses may be backends: one rule for the addresses that users write and for those that names resolve to.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which addresses may be backends. Link-local addresses, the metadata services of clouds, multicast and unspecified addresses never may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Whether loopback addresses may: true where the operator's own files name them, false where tenants of a cluster write the
    /// objects.
    pub allow_loopback: bool,
    /// Where the API server listens.
    pub api_server: BTreeSet<SocketAddr>,
    /// Where the gateway itself listens: requests would come back to it, or reach its admin port.
    pub own: BTreeSet<SocketAddr>,
}

/// Why an address can be no backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForbiddenAddress {
    /// It leads to the gateway's machine.
    Loopback,
    /// It is link-local; most metadata services of clouds are there.
    LinkLocal,
    /// A cloud's metadata service has it.
    Metadata,
    /// It is a multicast or broadcast address.
    Multicast,
    /// It is the unspecified address.
    Unspecified,
    /// The API server has it.
    ApiServer,
    /// The gateway itself has it.
    Gateway,
}

impl fmt::Display for ForbiddenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the address of a cloud's metadata service",
            Self::Multicast => "a multicast or broadcast address",
            Self::Unspecified => "the unspecified address",
            Self::ApiServer => "the API server's address",
            Self::Gateway => "the gateway's own address",
        })
    }
}

/// Metadata services that are not at link-local addresses: Alibaba, Azure (WireServer), Oracle.
const METADATA_IPV4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
/// The same in IPv6: Google, Scaleway. Those of AWS have a prefix of their own.
const METADATA_IPV6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42)];
/// The first two groups of the services of AWS: metadata, DNS, time, credentials of pods.
const AWS_PREFIX: [u16; 2] = [0xfd00, 0xec2];

impl AddressPolicy {
    /// Why an address can be no backend; `None`: it can be one.
    pub fn forbids(&self, address: SocketAddr) -> Option<ForbiddenAddress> {
        let ip = embedded(address.ip());
        let canonical = SocketAddr::new(ip, address.port());
        let by_kind = match ip {
            IpAddr::V4(ip) => forbids_ipv4(ip),
            IpAddr::V6(ip) => forbids_ipv6(ip),
        };
        match by_kind.filter(|kind| !(self.allow_loopback && *kind == ForbiddenAddress::Loopback)) {
            Some(kind) => Some(kind),
            None if self.api_server.contains(&canonical) => Some(ForbiddenAddress::ApiServer),
            None if self.own.contains(&canonical) => Some(ForbiddenAddress::Gateway),
            None => None,
        }
    }
}

/// The IPv4 address that one of IPv6 leads to: mapped (RFC 4291), compatible (deprecated there), NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip.to_canonical() else { return ip.to_canonical() };
    let ipv4 = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high, low].map(u16::to_be_bytes);
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0..=1] => ip,
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => ipv4(high, low),
        [0x2002, high, low, ..] => ipv4(high, low),
        _ => ip,
    }
}

fn forbids_ipv4(ip: Ipv4Addr) -> Option<ForbiddenAddress> {
    Some(match ip {
        // All of 0.0.0.0/8 is "this network" (RFC 1122), and Linux takes it for this machine.
        _ if ip.octets()[0] == 0 => ForbiddenAddress::Unspecified,
        _ if ip.is_loopback() => ForbiddenAddress::Loopback,
        _ if ip.is_link_local() => ForbiddenAddress::LinkLocal,
        _ if ip.is_multicast() || ip.is_broadcast() => ForbiddenAddress::Multicast,
        _ if METADATA_IPV4.contains(&ip) => ForbiddenAddress::Metadata,
        _ => return None,
    })
}

fn forbids_ipv6(ip: Ipv6Addr) -> Option<ForbiddenAddress> {
    let segments = ip.segments();
    Some(match ip {
        _ if ip.is_unspecified() => ForbiddenAddress::Unspecified,
        _ if ip.is_loopback() => ForbiddenAddress::Loopback,
        _ if ip.is_unicast_link_local() => ForbiddenAddress::LinkLocal,
        _ if ip.is_multicast() => ForbiddenAddress::Multicast,
        _ if METADATA_IPV6.contains(&ip) || segments[..2] == AWS_PREFIX => ForbiddenAddress::Metadata,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_addresses_are_never_backends_in_any_notation() {
        use ForbiddenAddress::{Gateway, LinkLocal, Loopback, Metadata, Multicast, Unspecified};
        let own = BTreeSet::from(["10.0.0.9:80".parse().expect("an address")]);
        let api_server = BTreeSet::from(["10.96.0.1:443".parse().expect("an address")]);
        let policy = AddressPolicy { allow_loopback: false, api_server, own };
        for (ip, expected) in [
            ("169.254.169.254", Some(LinkLocal)),
            ("169.254.170.2", Some(LinkLocal)),
            ("fe80::1", Some(LinkLocal)),
            ("::ffff:169.254.169.254", Some(LinkLocal)),
            ("::169.254.169.254", Some(LinkLocal)),
            ("64:ff9b::169.254.169.254", Some(LinkLocal)),
            ("2002:a9fe:a9fe::1", Some(LinkLocal)),
            ("100.100.100.200", Some(Metadata)),
            ("168.63.129.16", Some(Metadata)),
            ("fd00:ec2::254", Some(Metadata)),
            ("fd00:ec2::23", Some(Metadata)),
            ("fd20:ce::254", Some(Metadata)),
            ("0.0.0.0", Some(Unspecified)),
            ("0.1.2.3", Some(Unspecified)),
            ("::", Some(Unspecified)),
            ("224.0.0.1", Some(Multicast)),
            ("255.255.255.255", Some(Multicast)),
            ("ff02::1", Some(Multicast)),
            ("127.0.0.1", Some(Loopback)),
            ("127.8.9.10", Some(Loopback)),
            ("::ffff:127.0.0.1", Some(Loopback)),
            ("::1", Some(Loopback)),
            ("10.0.0.9", Some(Gateway)),
            ("::ffff:10.0.0.9", Some(Gateway)),
            ("10.0.0.1", None),
            ("10.96.0.1", None),
            ("100.64.0.1", None),
            ("2001:db8::1", None),
            ("fd00::1", None),
        ] {
            let address = SocketAddr::new(ip.parse().expect("an address"), 80);
            assert_eq!(policy.forbids(address), expected, "{ip}");
        }
        let of_api_server = "10.96.0.1:443".parse().expect("an address");
        assert_eq!(policy.forbids(of_api_server), Some(ForbiddenAddress::ApiServer));
        let own_files = AddressPolicy { allow_loopback: true, ..policy };
        assert_eq!(own_files.forbids("127.0.0.1:80".parse().expect("an address")), None);
    }
}
