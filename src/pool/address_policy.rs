//! Which addresses may be backends at all.

use std::net::IpAddr;

/// Which addresses may be backends. Link-local addresses (cloud metadata services are there), multicast and unspecified addresses
/// never may.
#[derive(Debug, Clone, Copy, Default)]
pub struct AddressPolicy {
    /// Whether loopback addresses may: true where the operator's own files name them, false where tenants of a cluster write the
    /// objects.
    pub allow_loopback: bool,
}

impl AddressPolicy {
    /// Whether an address may be a backend.
    pub(super) fn permits(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        let loopback_permitted = self.allow_loopback || !address.is_loopback();
        !link_local && !address.is_multicast() && !address.is_unspecified() && loopback_permitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_addresses_are_never_backends() {
        for (address, loopback, expected) in [
            ("169.254.169.254", true, false),
            ("fe80::1", true, false),
            ("::ffff:169.254.169.254", true, false),
            ("0.0.0.0", true, false),
            ("224.0.0.1", true, false),
            ("127.0.0.1", true, true),
            ("127.0.0.1", false, false),
            ("::1", false, false),
            ("10.0.0.1", false, true),
        ] {
            let policy = AddressPolicy { allow_loopback: loopback };
            assert_eq!(policy.permits(address.parse().expect("an address")), expected, "{address}");
        }
    }
}
