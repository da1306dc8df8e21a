//! Bringing addresses up to date after pools have changed: what is reported of each, and which members are left.

use std::sync::Arc;

use super::address_entry::AddressEntry;
use super::{PoolChanges, Registered, Registry};
use crate::pool::member::Member;
use crate::pool::state_votes::AddressSource;

impl Registry {
    /// Brings each address up to date that pools have, or had, and wakes the requests and tasks that wait for a change.
    pub(super) fn update_addresses(&self, registered: &mut Registered, changes: PoolChanges) {
        let Registered { addresses: entries, leaving, departing, .. } = registered;
        let PoolChanges { filled, emptied, mut addresses, last } = changes;
        drop(last);

        // The new votes first: a vote that stays is then never the last to be removed.
        for (member, state) in filled.iter().flat_map(|pool| &pool.members) {
            if let Some(entry) = entries.get_mut(&member.key.address) {
                entry.votes.add(source_of(member), *state);
            }
            addresses.insert(member.key.address);
        }
        for (member, state) in emptied.iter().flat_map(|pool| &pool.members) {
            if let Some(entry) = entries.get_mut(&member.key.address) {
                entry.votes.remove(source_of(member), *state);
            }
            if member.release_reference() {
                leaving.insert(member.id, (member.key.address, Arc::downgrade(member)));
            }
            addresses.insert(member.key.address);
        }

        // After the pools: a member that is chosen from now on belongs to the tenure that begins here.
        let mut departed = 0;
        for address in &addresses {
            if let Some(entry) = entries.get(address) {
                entry.update_newest();
                let state = entry.votes.best().or_else(|| departing.get(address).copied());
                departed += usize::from(entry.shared.state.update(state));
            }
        }

        // Members that nothing holds any more are freed here, and with the last of them the entry of their address.
        let any = !filled.is_empty() || !emptied.is_empty();
        drop((filled, emptied));
        leaving.retain(|_, (address, member)| {
            let held = member.strong_count() > 0;
            if !held && entries.get_mut(address).is_some_and(AddressEntry::forget_gone) {
                entries.remove(address);
            }
            departed += usize::from(!held);
            held
        });

        if any {
            self.0.changed.notify_waiters();
        }
        if departed > 0 {
            self.0.departures.send_replace(());
        }
    }
}

/// How the member's endpoint is known to be at its address.
fn source_of(member: &Member) -> AddressSource {
    if member.key.name.is_some() { AddressSource::DnsName } else { AddressSource::Address }
}
