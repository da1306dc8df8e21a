//! Filling a pool: its endpoints, and the addresses of their DNS names, become members. Endpoints that are equal in address, name,
//! transport and probe share one member.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use super::{PoolChanges, Registered, Registry};
use crate::model::{self, Address, PoolId};
use crate::pool::Pool;
use crate::pool::dial::Connector;
use crate::pool::member::{Health, Member, MemberKey};
use crate::pool::pool_state::PoolState;
use crate::pool::probe;

impl Registry {
    /// Fills a pool with the members of its endpoints. A pool that comes back from retirement is the one that sessions hold.
    pub(super) fn fill(
        &self,
        registered: &mut Registered,
        id: &PoolId,
        spec: &Arc<model::Pool>,
        changes: &mut PoolChanges,
    ) {
        let next = match changes.last.as_ref().filter(|(last, _)| last == spec) {
            Some((_, state)) => {
                state.members.iter().for_each(|(member, _)| member.add_reference());
                registered.refused.remove(id);
                Arc::clone(state)
            }
            None => self.pool_state(registered, id, spec, changes),
        };
        changes.filled.push(Arc::clone(&next));
        match registered.pools.get(id) {
            Some(pool) => changes.emptied.push(pool.state.swap(next)),
            None => {
                let back = registered.retired.remove(id).and_then(|(pool, _)| pool.upgrade());
                let pool = back.unwrap_or_else(|| {
                    Arc::new(Pool::new(id.clone(), self.0.affinity_key.clone(), Arc::clone(&self.0.changed)))
                });
                pool.state.store(next);
                registered.pools.insert(id.clone(), pool);
            }
        }
    }

    /// The state of a pool with the members of its endpoints, each with one more reference.
    fn pool_state(
        &self,
        registered: &mut Registered,
        id: &PoolId,
        spec: &Arc<model::Pool>,
        changes: &mut PoolChanges,
    ) -> Arc<PoolState> {
        let (mut members, mut weights, mut resolving, mut unresolved) = (Vec::new(), Vec::new(), 0, 0);
        let (mut refused, mut complete) = (BTreeSet::new(), true);
        for endpoint in &spec.endpoints {
            let (addresses, name) = match &endpoint.address {
                Address::Socket(address) => (vec![*address], None),
                Address::Name(name, port) => {
                    let known = registered.names.get(name).and_then(|name| name.resolution.addresses.as_deref());
                    match known {
                        None => resolving += 1,
                        Some([]) => unresolved += 1,
                        Some(_) => {}
                    }
                    let ips = known.unwrap_or_default();
                    (ips.iter().map(|ip| SocketAddr::new(*ip, *port)).collect(), Some(name))
                }
            };
            for address in addresses {
                if let Some(kind) = registered.policy.forbids(address) {
                    let refused_before = registered.refused.get(id).is_some_and(|before| before.contains(&address));
                    if refused.insert(address) && !refused_before {
                        tracing::warn!(pool = %id, %address, name, "not used as a backend: it is {kind}");
                    }
                    continue;
                }
                match self.member(registered, address, name, spec) {
                    Some(member) => {
                        members.push((member, endpoint.state));
                        weights.push(endpoint.weight);
                    }
                    None => complete = false,
                }
            }
        }
        if weights.windows(2).all(|pair| pair[0] == pair[1]) {
            weights = Vec::new();
        }
        let (members, weights, forbidden) = (members.into(), weights.into(), refused.len());
        let state = Arc::new(PoolState {
            balance: spec.balance,
            min_up: usize::try_from(spec.min_up).unwrap_or(usize::MAX),
            is_component: spec.is_component,
            members,
            weights,
            unresolved,
            resolving,
            forbidden,
        });
        // A state with fewer members than endpoints is not shared: the reason is logged for each pool.
        changes.last = (complete && refused.is_empty()).then(|| (Arc::clone(spec), Arc::clone(&state)));
        match refused.is_empty() {
            true => registered.refused.remove(id),
            false => registered.refused.insert(id.clone(), refused),
        };
        state
    }

    /// The member of a pool at an address, with one more reference. `name` is the DNS name that resolved to the address, if the
    /// endpoint has one. `None`: no connection could be made with the pool's transport.
    fn member(
        &self,
        registered: &mut Registered,
        address: SocketAddr,
        name: Option<&String>,
        spec: &model::Pool,
    ) -> Option<Arc<Member>> {
        let (transport, probe) = (&spec.transport, &spec.probe);
        let equal = |key: &MemberKey| {
            key.name.as_ref() == name && *key.transport == *transport && key.probe.as_deref() == probe.as_ref()
        };
        let entry = registered.addresses.get(&address);
        if let Some(member) = entry.and_then(|entry| entry.members().find(|member| equal(&member.key))) {
            member.add_reference();
            registered.leaving.remove(&member.id);
            return Some(member);
        }
        let connector = Connector::new(address, name.map(String::as_str), transport)
            .inspect_err(|error| tracing::warn!(%address, %error, "member can't be spoken to"))
            .ok()?;
        // Another probe of an address that is known to serve: the health that was found holds until the new probe is answered.
        let neighbour = entry.and_then(|entry| entry.members().max_by_key(|member| member.id));
        let known_up = neighbour.is_some_and(|member| {
            member.key.probe.is_some() && *member.key.transport == *transport && member.health() == Health::Up
        });
        let health = if known_up || probe.is_none() { Health::Up } else { Health::Unknown };

        registered.last_id += 1;
        let entry = registered.addresses.entry(address).or_default();
        let transport = registered.transports.of(transport);
        let probe = probe.as_ref().map(|probe| registered.probes.of(probe));
        let key = MemberKey { address, name: name.cloned(), transport, probe: probe.clone() };
        let member = Arc::new(Member::new(key, registered.last_id, connector, Arc::clone(&entry.shared), health));
        entry.push(&member);
        if let Some(probe) = probe {
            let (changed, counters) = (Arc::clone(&self.0.changed), self.0.counters.clone());
            self.0.runtime.spawn(probe::run(Arc::downgrade(&member), probe, changed, counters));
        }
        Some(member)
    }
}
