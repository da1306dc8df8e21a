//! What is counted of requests and sessions.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// The object that a route belongs to. A gateway has as many as people wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Owner {
    /// `Ingress default/site`; empty where no route was found.
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    code: u16,
}

/// Counters of the data plane. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: Family<Answered, Counter>,
    durations: Family<Owner, Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { requests: Family::default(), durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)) }
    }
}

impl Metrics {
    /// Names them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("requests", "Requests answered, by route and status", self.requests.clone());
        registry.register(
            "request_duration_seconds",
            "Time from a request's header to the end of its answer",
            self.durations.clone(),
        );
    }

    /// Drops what was counted for an object that has no route any more, so that what is kept is bounded by what is
    /// served.
    pub fn forget(&self, route: &str) {
        let owner = Owner { route: route.to_owned() };
        self.durations.remove(&owner);
        for code in 100..600 {
            self.requests.remove(&Answered { route: route.to_owned(), code });
        }
    }

    pub(super) fn answered(&self, route: &str, code: u16, seconds: f64) {
        self.requests.get_or_create(&Answered { route: route.to_owned(), code }).inc();
        self.durations.get_or_create(&Owner { route: route.to_owned() }).observe(seconds);
    }
}
