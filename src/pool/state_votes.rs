//! The state of an address out of what several endpoints report of it: the best report counts.
//!
//! Endpoints whose DNS name resolves to an address report nothing of the pod there: they count only where nothing else is reported.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use crate::model::EndpointState;

/// How an endpoint is known to be at an address. An address counts for more than a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressSource {
    /// The endpoint gives the address.
    Address,
    /// The endpoint gives a DNS name that resolves to the address.
    DnsName,
}

/// The report of one endpoint on an address. Of two reports the smaller counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct StateVote {
    source: AddressSource,
    state: EndpointState,
}

/// A vote and how many endpoints have it.
#[derive(Debug)]
struct CountedVote {
    vote: StateVote,
    count: u32,
}

/// A multiset of what endpoints report of one address. It is kept up to date by difference: one endpoint more or less.
#[derive(Debug, Default)]
pub(super) struct StateVotes(Vec<CountedVote>);

impl StateVotes {
    /// Adds the report of one endpoint.
    pub(super) fn add(&mut self, source: AddressSource, state: EndpointState) {
        let vote = StateVote { source, state };
        match self.0.iter_mut().find(|counted| counted.vote == vote) {
            Some(counted) => counted.count += 1,
            None => {
                self.0.reserve_exact(1);
                self.0.push(CountedVote { vote, count: 1 });
            }
        }
    }

    /// Removes the report of one endpoint, which has been added before.
    pub(super) fn remove(&mut self, source: AddressSource, state: EndpointState) {
        let vote = StateVote { source, state };
        if let Some(index) = self.0.iter().position(|counted| counted.vote == vote) {
            self.0[index].count -= 1;
            if self.0[index].count == 0 {
                self.0.swap_remove(index);
            }
        }
    }

    /// The best report.
    pub(super) fn best(&self) -> Option<EndpointState> {
        self.0.iter().map(|counted| counted.vote).min().map(|vote| vote.state)
    }
}

/// The state of every address, out of the reports of all endpoints at once.
#[derive(Debug, Clone, Default)]
pub struct AddressStates(HashMap<SocketAddr, StateVote>);

impl AddressStates {
    /// Adds the report of one endpoint.
    pub fn add(&mut self, address: SocketAddr, source: AddressSource, state: EndpointState) {
        let vote = StateVote { source, state };
        self.0.entry(address).and_modify(|best| *best = vote.min(*best)).or_insert(vote);
    }

    /// Adds the endpoints of no pool that go away. They count where nothing else has been added.
    pub fn add_departing(&mut self, departing: &BTreeMap<SocketAddr, EndpointState>) {
        for (address, state) in departing {
            self.0.entry(*address).or_insert(StateVote { source: AddressSource::DnsName, state: *state });
        }
    }

    /// The state of an address; `None`: nothing is reported of it.
    pub fn of(&self, address: SocketAddr) -> Option<EndpointState> {
        self.0.get(&address).map(|best| best.state)
    }
}
