//! Which protocol each port speaks: its well-known one, if anybody wants that, or else that of the object that came first.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ObjectRef, Protocol};

use super::LanguageClaims;

/// A port and the protocol that is wanted there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::translate) struct PortProtocol {
    pub(in crate::translate) port: u16,
    pub(in crate::translate) protocol: Protocol,
}

/// The protocol of each port that some object takes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::translate) struct Ports(BTreeMap<u16, TakenPort>);

#[derive(Debug, PartialEq, Eq)]
struct TakenPort {
    protocol: Protocol,
    /// The object that came first, where others want the port for another protocol. `None`: nobody does, so that nobody
    /// has to be named in a report.
    winner: Option<ObjectRef>,
}

impl Ports {
    /// Gives each port to its well-known protocol, or else to that of the oldest claim: no object takes TLS from the others on
    /// port 443, however old it is. Ages are compared only where a port is wanted for two protocols, since the oldest of all
    /// Ingresses is costly to find.
    pub(in crate::translate) fn decide(languages: &[&dyn LanguageClaims]) -> Self {
        let mut wanted: BTreeMap<u16, BTreeSet<Protocol>> = BTreeMap::new();
        for PortProtocol { port, protocol } in languages.iter().flat_map(|language| language.ports()) {
            wanted.entry(port).or_default().insert(protocol);
        }
        let mut taken = BTreeMap::new();
        for (port, protocols) in wanted {
            let is_contested = protocols.len() > 1;
            let claims = protocols.into_iter().map(|protocol| {
                let at = PortProtocol { port, protocol };
                let first =
                    is_contested.then(|| languages.iter().filter_map(|language| language.first_on_port(at)).min());
                (!is_well_known(at), first.flatten(), protocol)
            });
            if let Some((_, first, protocol)) = claims.min() {
                taken.insert(port, TakenPort { protocol, winner: first.map(|claim| claim.owner().clone()) });
            }
        }
        Self(taken)
    }

    /// Whether the port is taken for this protocol.
    pub(in crate::translate) fn speaks(&self, at: PortProtocol) -> bool {
        self.0.get(&at.port).is_some_and(|taken| taken.protocol == at.protocol)
    }

    /// The object that has the port for another protocol, if one has.
    pub(super) fn winner_over(&self, at: PortProtocol) -> Option<&ObjectRef> {
        self.0.get(&at.port).filter(|taken| taken.protocol != at.protocol)?.winner.as_ref()
    }
}

/// Whether a port is known for this protocol (RFC 9110 sections 4.2.1 and 4.2.2).
fn is_well_known(at: PortProtocol) -> bool {
    matches!((at.port, at.protocol), (80, Protocol::Http) | (443, Protocol::Https))
}
