//! How many connections clients may have at once: in all, from one address, and by the file descriptors that are left.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::gauge::Gauge;

/// The length of the prefix that an IPv6 client has to itself: its addresses are as many as it likes.
const IPV6_CLIENT_PREFIX: u32 = 64;

/// The limits of connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// The most connections of all clients.
    pub max: usize,
    /// The most connections of one address; `None` for no limit.
    pub max_per_address: Option<u32>,
    /// Connections take no file descriptor from this number on. Descriptors are numbered from the lowest that is free, so this many are
    /// left for everything else.
    pub end_of_descriptors: RawFd,
}

/// The open connections of clients.
#[derive(Debug)]
pub(in crate::proxy) struct ClientConnections {
    limits: ConnectionLimits,
    open: Gauge,
    /// Empty without a limit for one address.
    by_address: Mutex<HashMap<IpAddr, u32>>,
}

/// Which limit a connection is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum ConnectionRefused {
    /// That of all connections.
    All,
    /// That of its address.
    Address,
    /// That of file descriptors.
    Descriptors,
}

/// An open connection. It counts until this is dropped.
#[derive(Debug)]
pub(in crate::proxy) struct ConnectionSlot {
    connections: Arc<ClientConnections>,
    /// The address that it counts for.
    address: Option<IpAddr>,
}

impl Default for ConnectionLimits {
    /// No limits.
    fn default() -> Self {
        Self { max: usize::MAX, max_per_address: None, end_of_descriptors: RawFd::MAX }
    }
}

impl ClientConnections {
    /// No connection yet. `open` shows how many there are.
    pub(in crate::proxy) fn new(limits: ConnectionLimits, open: Gauge) -> Self {
        Self { limits, open, by_address: Mutex::default() }
    }

    /// Counts a connection that has been accepted.
    ///
    /// # Errors
    /// It is beyond a limit.
    pub(in crate::proxy) fn admit(
        self: &Arc<Self>,
        accepted: &impl AsRawFd,
    ) -> Result<ConnectionSlot, ConnectionRefused> {
        if accepted.as_raw_fd() >= self.limits.end_of_descriptors {
            return Err(ConnectionRefused::Descriptors);
        }
        let before = self.open.inc();
        let slot = ConnectionSlot { connections: Arc::clone(self), address: None };
        if usize::try_from(before).is_ok_and(|before| before >= self.limits.max) {
            return Err(ConnectionRefused::All);
        }
        Ok(slot)
    }
}

impl ConnectionSlot {
    /// The only connection of its own count.
    #[cfg(test)]
    pub(in crate::proxy) fn of_a_test() -> Self {
        let connections = ClientConnections::new(ConnectionLimits::default(), Gauge::default());
        Arc::new(connections).admit(&0).expect("there is no limit")
    }

    /// Counts the connection for the client's address, once that is known.
    ///
    /// # Errors
    /// It is beyond the limit of its address.
    pub(in crate::proxy) fn claim(&mut self, client: IpAddr) -> Result<(), ConnectionRefused> {
        let Some(max) = self.connections.limits.max_per_address else { return Ok(()) };
        let address = counted_address(client);
        let mut by_address = self.connections.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let open = by_address.entry(address).or_default();
        if *open >= max {
            return Err(ConnectionRefused::Address);
        }
        *open += 1;
        self.address = Some(address);
        Ok(())
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.open.dec();
        let Some(address) = self.address else { return };
        let mut by_address = self.connections.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = by_address.get_mut(&address) {
            *open -= 1;
            if *open == 0 {
                by_address.remove(&address);
            }
        }
    }
}

/// The address that a client's connections count for.
fn counted_address(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::MAX << (Ipv6Addr::BITS - IPV6_CLIENT_PREFIX);
            Ipv6Addr::from_bits(address.to_bits() & prefix).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket with this descriptor.
    struct Descriptor(RawFd);

    impl AsRawFd for Descriptor {
        fn as_raw_fd(&self) -> RawFd {
            self.0
        }
    }

    fn connections(limits: ConnectionLimits) -> Arc<ClientConnections> {
        Arc::new(ClientConnections::new(limits, Gauge::default()))
    }

    #[test]
    fn connections_are_limited_in_all_and_by_descriptor() {
        let connections = connections(ConnectionLimits { max: 2, end_of_descriptors: 100, ..Default::default() });
        let held = [connections.admit(&Descriptor(10)), connections.admit(&Descriptor(99))];
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(connections.admit(&Descriptor(11)).map(drop), Err(ConnectionRefused::All));
        assert_eq!(connections.admit(&Descriptor(100)).map(drop), Err(ConnectionRefused::Descriptors));
        drop(held);
        assert_eq!(connections.open.get(), 0);
        assert!(connections.admit(&Descriptor(11)).is_ok());
    }

    #[test]
    fn connections_are_limited_by_address_and_an_ipv6_client_has_a_prefix() {
        let connections = connections(ConnectionLimits { max_per_address: Some(2), ..Default::default() });
        let connect = |address: &str| {
            let mut slot = connections.admit(&Descriptor(3)).expect("no other limit");
            slot.claim(address.parse().expect("an address")).map(|()| slot)
        };
        let held =
            [connect("2001:db8::1"), connect("2001:db8::ffff:1"), connect("192.0.2.1"), connect("::ffff:192.0.2.1")];
        assert!(held.iter().all(Result::is_ok));
        assert!(connect("2001:db8:0:0:1::").is_err());
        assert!(connect("192.0.2.1").is_err());
        assert!(connect("2001:db8:0:1::").is_ok(), "another prefix");
        assert!(connect("192.0.2.2").is_ok());
        drop(held);
        assert!(connections.by_address.lock().expect("unpoisoned").is_empty());
    }
}
