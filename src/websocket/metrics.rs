//! The totals of sessions as Prometheus metrics.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::counters::CounterValues;
use super::registry::Sessions;
use super::totals::{CloseClass, DURATION_BOUNDS, Totals};
use crate::model::ObjectRef;

/// The labels of an exemplar; no exemplar is given.
type NoLabels = [(&'static str, &'static str); 0];
type Labels<'a> = Vec<(&'static str, &'a str)>;
/// The totals of each object, in the order in which they are printed.
type ObjectTotals = BTreeMap<Arc<ObjectRef>, Totals>;

impl Collector for Sessions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let totals: ObjectTotals = self.totals().into_iter().collect();
        let open = totals.iter().map(|(object, totals)| (object_labels(object), totals.open as i64));
        let help = "WebSocket sessions open, by object";
        let mut family = encoder.encode_descriptor("websocket_sessions_open", help, None, MetricType::Gauge)?;
        for (labels, value) in open {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        let help = "WebSocket handshakes, by object and what came of them";
        counters(&mut encoder, "websocket_handshakes", help, &totals, |totals, labels| {
            totals.handshakes.iter().map(|(outcome, count)| (with(labels, &[("outcome", outcome)]), *count)).collect()
        })?;
        let help = "WebSocket sessions ended, by object and cause";
        counters(&mut encoder, "websocket_sessions_ended", help, &totals, |totals, labels| {
            totals.ended.iter().map(|(cause, count)| (with(labels, &[("cause", cause)]), *count)).collect()
        })?;
        let help = "WebSocket sessions ended, by object, who closed first, and the status of that Close frame";
        counters(&mut encoder, "websocket_closes", help, &totals, |totals, labels| {
            let labels = |class: &CloseClass| with(labels, &[("initiator", class.initiator), ("code", class.code)]);
            totals.closes.iter().map(|(class, count)| (labels(class), *count)).collect()
        })?;
        let help = "Bytes relayed in WebSocket sessions, frame headers included; up: from clients";
        counters(&mut encoder, "websocket_bytes", help, &totals, |totals, labels| {
            directions(totals).map(|(name, values)| (with(labels, &[("direction", name)]), values.bytes)).into()
        })?;
        let help = "WebSocket messages relayed, by type; fragmented: those in several frames";
        counters(&mut encoder, "websocket_messages", help, &totals, |totals, labels| {
            by_type(totals, labels, |values| {
                [("text", values.text), ("binary", values.binary), ("fragmented", values.continued)]
            })
        })?;
        let help = "WebSocket control frames relayed";
        counters(&mut encoder, "websocket_control_frames", help, &totals, |totals, labels| {
            by_type(totals, labels, |values| [("ping", values.pings), ("pong", values.pongs)])
        })?;
        durations(&mut encoder, &totals)
    }
}

/// The counters of both directions, with the value of the label `direction`.
fn directions(totals: &Totals) -> [(&'static str, &CounterValues); 2] {
    [("up", &totals.up), ("down", &totals.down)]
}

/// The series of a family that is split by direction and type.
fn by_type<'a, const N: usize>(
    totals: &Totals,
    labels: &Labels<'a>,
    types: impl Fn(&CounterValues) -> [(&'static str, u64); N],
) -> Vec<(Labels<'a>, u64)> {
    let series = |(direction, values)| {
        types(values).map(|(name, count)| (with(labels, &[("direction", direction), ("type", name)]), count))
    };
    directions(totals).into_iter().flat_map(series).collect()
}

/// The labels that name an object.
fn object_labels(object: &ObjectRef) -> Labels<'_> {
    vec![("object_kind", object.kind.name()), ("object_namespace", object.namespace()), ("object_name", object.name())]
}

/// The labels, and more of them.
fn with<'a>(labels: &Labels<'a>, more: &[(&'static str, &'a str)]) -> Labels<'a> {
    labels.iter().chain(more).copied().collect()
}

/// Encodes a family of counters: `series` gives those of one object.
fn counters<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    totals: &'a ObjectTotals,
    series: impl Fn(&'a Totals, &Labels<'a>) -> Vec<(Labels<'a>, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (object, totals) in totals {
        for (labels, count) in series(totals, &object_labels(object)) {
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

/// Encodes the histogram of durations.
fn durations(encoder: &mut DescriptorEncoder<'_>, totals: &ObjectTotals) -> fmt::Result {
    let help = "Seconds that WebSocket sessions lasted";
    let name = "websocket_session_duration_seconds";
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (object, totals) in totals {
        let bounds = DURATION_BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(totals.durations).collect();
        let labels = object_labels(object);
        let mut metric: MetricEncoder<'_> = family.encode_family(&labels)?;
        metric.encode_histogram::<NoLabels>(totals.total_duration, totals.durations.iter().sum(), &buckets, None)?;
    }
    Ok(())
}
