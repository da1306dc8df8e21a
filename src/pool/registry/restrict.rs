//! Which addresses may be members can change: the API server and the gateway itself come to listen elsewhere.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::{PoolChanges, Registry};
use crate::model::{Address, AddressPolicy};

impl Registry {
    /// Takes another policy for the addresses of members. Pools that it may concern are filled anew.
    pub fn restrict(&self, policy: AddressPolicy) {
        let mut registered = self.lock();
        if registered.policy == policy {
            return;
        }
        let before = std::mem::replace(&mut registered.policy, policy);
        let after = &registered.policy;
        let listed = |policy: &AddressPolicy| -> BTreeSet<SocketAddr> {
            policy.api_server.union(&policy.own).copied().collect()
        };
        let changed: BTreeSet<SocketAddr> = listed(&before).symmetric_difference(&listed(after)).copied().collect();
        let concerns = |address: &Address| match address {
            Address::Socket(address) => changed.contains(address),
            Address::Name(..) => true,
        };
        let concerned = registered.specs.iter().filter(|(_, spec)| {
            before.allow_loopback != after.allow_loopback
                || spec.endpoints.iter().any(|endpoint| concerns(&endpoint.address))
        });
        let concerned: Vec<_> = concerned.map(|(id, spec)| (id.clone(), spec.clone())).collect();
        let mut changes = PoolChanges::default();
        for (id, spec) in &concerned {
            self.fill(&mut registered, id, spec, &mut changes);
        }
        self.update_addresses(&mut registered, changes);
    }
}
