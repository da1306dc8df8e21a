//! Metrics of leadership and of writes to the API server.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    kind: &'static str,
    result: &'static str,
}

/// Counters of the status writer. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct StatusMetrics {
    leader: Gauge<i64, AtomicI64>,
    writes: Family<WriteLabels, Counter>,
}

impl StatusMetrics {
    /// Registers the metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("leader", "Whether this replica holds the lease and writes status", self.leader.clone());
        let help = "Writes to the API server, by kind of object (Event: events about objects) and result";
        registry.register("status_writes", help, self.writes.clone());
    }

    pub(super) fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    pub(super) fn wrote(&self, kind: &'static str, result: &'static str) {
        self.writes.get_or_create(&WriteLabels { kind, result }).inc();
    }
}
