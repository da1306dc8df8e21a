//! What narrow hosts go by of the wide ones that take them in. Only where that changes are they made anew.

use std::collections::{BTreeMap, BTreeSet};

use super::host_tls::TlsRequest;
use super::{HTTP, HTTPS};
use crate::model::{HostPattern, Protocol};
use crate::translate::claim::{Claims, covers};

/// What was gone by when the narrow hosts were made.
#[derive(Debug, Default)]
pub(in crate::translate) struct Wide(BTreeMap<HostPattern, Seen>);

/// The same of one wide host.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    tls_request: Option<TlsRequest>,
    is_served: bool,
    /// Whether Ingresses have it on ports 80 and 443, and whether it has a certificate there.
    held: [bool; 3],
}

impl Seen {
    fn of(host: &HostPattern, claims: &Claims<'_>) -> Self {
        let hosts = claims.hosts;
        Self {
            tls_request: hosts.tls_request(host).cloned(),
            is_served: hosts.is_served(host),
            held: [
                claims.ingresses_hold(HTTP, Protocol::Http, host),
                claims.ingresses_hold(HTTPS, Protocol::Https, host),
                claims.is_certified(HTTPS, host),
            ],
        }
    }
}

impl Wide {
    /// Adds to `hosts`, which are to be made anew, those that have to be for their sake.
    pub(in crate::translate) fn widen(&mut self, hosts: &mut BTreeSet<HostPattern>, claims: &Claims<'_>) {
        if hosts.contains(&HostPattern::Any) && self.has_changed(&HostPattern::Any, claims) {
            hosts.extend(claims.hosts.all().cloned());
        }
        let wide: Vec<HostPattern> =
            hosts.iter().filter(|host| !matches!(host, HostPattern::Exact(_))).cloned().collect();
        let changed: BTreeSet<&str> = wide
            .iter()
            .filter_map(|host| match host {
                HostPattern::SingleLabel(parent) if self.has_changed(host, claims) => Some(&**parent),
                _ => None,
            })
            .collect();
        if !changed.is_empty() {
            hosts.extend(claims.hosts.all().filter(|host| is_below(host, &changed)).cloned());
        }
        let borrowing = claims.hosts.borrowing().filter(|host| wide.iter().any(|wide| covers(wide, host)));
        hosts.extend(borrowing.cloned());
    }

    fn has_changed(&mut self, host: &HostPattern, claims: &Claims<'_>) -> bool {
        let now = Seen::of(host, claims);
        if now == *self.0.get(host).unwrap_or(&Seen::default()) {
            return false;
        }
        if now == Seen::default() {
            drop(self.0.remove(host))
        } else {
            drop(self.0.insert(host.clone(), now))
        }
        true
    }
}

fn is_below(host: &HostPattern, parents: &BTreeSet<&str>) -> bool {
    let HostPattern::Exact(name) = host else { return false };
    name.split_once('.').is_some_and(|(_, parent)| parents.contains(parent))
}
