//! The counters of requests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Weak};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::model::ObjectRef;
use crate::table::Target;

/// Upper bounds of the classes of durations, in seconds.
const DURATION_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// The labels of the object that owns a route. All are empty where no route was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ObjectLabels {
    object_kind: &'static str,
    object_namespace: String,
    object_name: String,
}

/// The labels of the answers of one status.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    #[prometheus(flatten)]
    object: ObjectLabels,
    code: u16,
}

impl ObjectLabels {
    fn of(object: Option<&ObjectRef>) -> Self {
        Self {
            object_kind: object.map_or("", |object| object.kind.name()),
            object_namespace: object.map_or("", ObjectRef::namespace).to_owned(),
            object_name: object.map_or("", ObjectRef::name).to_owned(),
        }
    }
}

/// Why a client was refused, whatever route it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::proxy) enum RefusedFor {
    /// There are too many connections.
    Connections,
    /// There are too many connections from its address.
    ConnectionsPerAddress,
    /// The process has hardly any file descriptor left.
    Descriptors,
    /// The header of the PROXY protocol is missing, malformed or unexpected.
    ProxyHeader,
    /// The connection to a `Tls` listener does not begin with a ClientHello that can be read.
    ClientHello,
    /// No host of a `Tls` listener has the server name (SNI) that was asked for.
    ServerName,
    /// The client has shown no certificate to a host that asks for one.
    ClientCertificateMissing,
    /// The client's certificate is not trusted, or has expired.
    ClientCertificateInvalid,
    /// A request's header is too large.
    Header,
    /// A client has reset too many streams of its HTTP/2 connection.
    Resets,
    /// Clients have sent too much ahead of the answers.
    UnansweredBytes,
}

impl RefusedFor {
    /// The value of the label.
    pub(in crate::proxy) fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::Descriptors => "descriptors",
            Self::ProxyHeader => "proxy_header",
            Self::ClientHello => "client_hello",
            Self::ServerName => "server_name",
            Self::ClientCertificateMissing => "client_certificate_missing",
            Self::ClientCertificateInvalid => "client_certificate_invalid",
            Self::Header => "header",
            Self::Resets => "resets",
            Self::UnansweredBytes => "unanswered_bytes",
        }
    }
}

impl EncodeLabelValue for RefusedFor {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        encoder.write_str(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    cause: RefusedFor,
}

/// The counters of a route's object, as one worker has looked them up.
struct CachedCounters {
    target: Weak<Target>,
    durations: Histogram,
    requests: Vec<(u16, Counter)>,
}

thread_local! {
    /// By the target's address, which no other target takes while it is weakly pointed to from here.
    static CACHED_COUNTERS: RefCell<HashMap<*const Target, CachedCounters>> = RefCell::default();
}

/// Frees the cached counters of routes that are gone.
pub(in crate::proxy) fn sweep() {
    CACHED_COUNTERS.with_borrow_mut(|cache| cache.retain(|_, cached| cached.target.strong_count() > 0));
}

/// Counters of the data plane. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: Family<AnswerLabels, Counter>,
    durations: Family<ObjectLabels, Histogram>,
    refused: Family<RefusedLabels, Counter>,
    rewrite_failures: Family<ObjectLabels, Counter>,
    /// Open connections of clients.
    pub(in crate::proxy) connections: Gauge,
    /// Bytes of HTTP/2 requests that no backend has answered yet.
    pub(in crate::proxy) unanswered_bytes: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            refused: Family::default(),
            rewrite_failures: Family::default(),
            connections: Gauge::default(),
            unanswered_bytes: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Registers them under their names.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("requests", "Requests answered, by object and status", self.requests.clone());
        registry.register(
            "request_duration_seconds",
            "Time from a request's header to the end of its answer",
            self.durations.clone(),
        );
        let help = "Connections and requests of clients that were refused for what they are, by cause";
        registry.register("clients_refused", help, self.refused.clone());
        let help = "Headers that a rewrite rule could not write, since its value can't be one, by object";
        registry.register("rewrites_left_out", help, self.rewrite_failures.clone());
        registry.register("client_connections", "Open connections of clients", self.connections.clone());
        let help = "Bytes of HTTP/2 requests that no backend has answered yet";
        registry.register("unanswered_bytes", help, self.unanswered_bytes.clone());
    }

    /// Counts a client, or one of its requests, that was refused.
    pub(in crate::proxy) fn client_refused(&self, cause: RefusedFor) {
        self.refused.get_or_create_owned(&RefusedLabels { cause }).inc();
    }

    /// Counts headers that rewrite rules could not write.
    pub(in crate::proxy) fn rewrites_left_out(&self, object: &ObjectRef, count: u64) {
        self.rewrite_failures.get_or_create_owned(&ObjectLabels::of(Some(object))).inc_by(count);
    }

    /// Removes the counters of an object that has no route any more: so there are as many as there are objects that are
    /// served.
    pub fn forget(&self, object: &ObjectRef) {
        let object = ObjectLabels::of(Some(object));
        self.durations.remove(&object);
        self.rewrite_failures.remove(&object);
        for code in 100..600 {
            self.requests.remove(&AnswerLabels { object: object.clone(), code });
        }
    }

    /// Counts an answer. Counters are looked up once for each worker and route.
    pub(in crate::proxy) fn answered(&self, target: Option<&Arc<Target>>, code: u16, seconds: f64) {
        let Some(target) = target else {
            self.requests(None, code).inc();
            return self.durations(None).observe(seconds);
        };
        CACHED_COUNTERS.with_borrow_mut(|cache| {
            let cached = cache.entry(Arc::as_ptr(target)).or_insert_with(|| CachedCounters {
                target: Arc::downgrade(target),
                durations: self.durations(Some(target.owner())),
                requests: Vec::new(),
            });
            cached.durations.observe(seconds);
            let known = cached.requests.iter().position(|(of, _)| *of == code);
            let at = known.unwrap_or_else(|| {
                cached.requests.push((code, self.requests(Some(target.owner()), code)));
                cached.requests.len() - 1
            });
            cached.requests[at].1.inc();
        });
    }

    fn requests(&self, object: Option<&ObjectRef>, code: u16) -> Counter {
        self.requests.get_or_create_owned(&AnswerLabels { object: ObjectLabels::of(object), code })
    }

    fn durations(&self, object: Option<&ObjectRef>) -> Histogram {
        self.durations.get_or_create_owned(&ObjectLabels::of(object))
    }
}
