//! What is counted of leadership and of writes.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Write {
    kind: &'static str,
    result: &'static str,
}

/// Counters of the status writer. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    leader: Gauge<i64, AtomicI64>,
    writes: Family<Write, Counter>,
}

impl Metrics {
    /// Names them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("leader", "Whether this replica holds the lease and writes status", self.leader.clone());
        let help = "Writes to the API server, by kind of object (Event: events about objects) and result";
        registry.register("status_writes", help, self.writes.clone());
    }

    pub(super) fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    pub(super) fn wrote(&self, kind: &'static str, result: &'static str) {
        self.writes.get_or_create(&Write { kind, result }).inc();
    }
}
