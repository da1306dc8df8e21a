//! The totals of sessions as Prometheus metrics.

use std::fmt;

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
/// The totals of each object, and of each protocol where the labels name it, in the order in which they are printed.
type LabelledTotals<'a> = Vec<(Labels<'a>, &'a Totals)>;

impl Collector for Sessions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let totals = self.totals();
        let websocket: LabelledTotals<'_> =
            totals.iter().map(|(object, totals)| (object_labels(object), &totals.websocket)).collect();
        websocket_sessions(&mut encoder, &websocket)?;
        let labels = |object, protocol| with(&object_labels(object), &[("protocol", protocol)]);
        let others = totals.iter().flat_map(|(object, totals)| {
            totals.others.iter().map(move |(protocol, totals)| (labels(object, &**protocol), totals))
        });
        other_sessions(&mut encoder, &others.collect())?;
        let streams = totals.iter().flat_map(|(object, totals)| {
            totals.streams.iter().map(move |(protocol, totals)| (labels(object, protocol), totals))
        });
        streams_without_http(&mut encoder, &streams.collect())
    }
}

/// The families of WebSocket sessions.
fn websocket_sessions(encoder: &mut DescriptorEncoder<'_>, totals: &LabelledTotals<'_>) -> fmt::Result {
    open(encoder, "websocket_sessions_open", "WebSocket sessions open, by object", totals)?;
    let help = "WebSocket handshakes, by object and what came of them";
    counters(encoder, "websocket_handshakes", help, totals, handshakes)?;
    let help = "WebSocket sessions ended, by object and cause";
    counters(encoder, "websocket_sessions_ended", help, totals, ended)?;
    let help = "WebSocket sessions ended, by object, who closed first, and the status of that Close frame";
    counters(encoder, "websocket_closes", help, totals, |totals, labels| {
        let labels = |class: &CloseClass| with(labels, &[("initiator", class.initiator), ("code", class.code)]);
        totals.closes.iter().map(|(class, count)| (labels(class), *count)).collect()
    })?;
    let help = "Bytes relayed in WebSocket sessions, frame headers included; up: from clients";
    counters(encoder, "websocket_bytes", help, totals, bytes)?;
    let help = "WebSocket messages relayed, by type; fragmented: those in several frames";
    counters(encoder, "websocket_messages", help, totals, |totals, labels| {
        by_type(totals, labels, |values| {
            [("text", values.text), ("binary", values.binary), ("fragmented", values.continued)]
        })
    })?;
    let help = "WebSocket control frames relayed";
    counters(encoder, "websocket_control_frames", help, totals, |totals, labels| {
        by_type(totals, labels, |values| [("ping", values.pings), ("pong", values.pongs)])
    })?;
    durations(encoder, "websocket_session_duration_seconds", "Seconds that WebSocket sessions lasted", totals)
}

/// The families of sessions of other protocols.
fn other_sessions(encoder: &mut DescriptorEncoder<'_>, totals: &LabelledTotals<'_>) -> fmt::Result {
    open(
        encoder,
        "upgrade_sessions_open",
        "Sessions of protocols other than WebSocket open, by object and protocol",
        totals,
    )?;
    let help = "Upgrades to protocols other than WebSocket, by object, protocol, and what came of them";
    counters(encoder, "upgrade_handshakes", help, totals, handshakes)?;
    let help = "Sessions of protocols other than WebSocket ended, by object, protocol and cause";
    counters(encoder, "upgrade_sessions_ended", help, totals, ended)?;
    let help = "Bytes relayed in sessions of protocols other than WebSocket; up: from clients";
    counters(encoder, "upgrade_bytes", help, totals, bytes)?;
    let help = "Seconds that sessions of protocols other than WebSocket lasted";
    durations(encoder, "upgrade_session_duration_seconds", help, totals)
}

/// The families of streams without HTTP.
fn streams_without_http(encoder: &mut DescriptorEncoder<'_>, totals: &LabelledTotals<'_>) -> fmt::Result {
    open(encoder, "stream_sessions_open", "Streams without HTTP open, by object and protocol", totals)?;
    let help = "Connections of streams without HTTP, by object, protocol, and what came of them";
    counters(encoder, "stream_connections", help, totals, handshakes)?;
    let help = "Streams without HTTP ended, by object, protocol and cause";
    counters(encoder, "stream_sessions_ended", help, totals, ended)?;
    let help = "Bytes relayed in streams without HTTP; up: from clients";
    counters(encoder, "stream_bytes", help, totals, bytes)?;
    durations(encoder, "stream_session_duration_seconds", "Seconds that streams without HTTP lasted", totals)
}

/// Series of the outcomes of handshakes.
fn handshakes<'a>(totals: &'a Totals, labels: &Labels<'a>) -> Vec<(Labels<'a>, u64)> {
    totals.handshakes.iter().map(|(outcome, count)| (with(labels, &[("outcome", outcome)]), *count)).collect()
}

/// Series of the causes of ends.
fn ended<'a>(totals: &'a Totals, labels: &Labels<'a>) -> Vec<(Labels<'a>, u64)> {
    totals.ended.iter().map(|(cause, count)| (with(labels, &[("cause", cause)]), *count)).collect()
}

/// Series of bytes by direction.
fn bytes<'a>(totals: &'a Totals, labels: &Labels<'a>) -> Vec<(Labels<'a>, u64)> {
    directions(totals).map(|(name, values)| (with(labels, &[("direction", name)]), values.bytes)).into()
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

/// Encodes the gauge of open sessions.
fn open(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, totals: &LabelledTotals<'_>) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, totals) in totals {
        ConstGauge::new(totals.open as i64).encode(family.encode_family(labels)?)?;
    }
    Ok(())
}

/// Encodes a family of counters: `series` gives those of one object.
fn counters<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    totals: &LabelledTotals<'a>,
    series: impl Fn(&'a Totals, &Labels<'a>) -> Vec<(Labels<'a>, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, totals) in totals {
        for (labels, count) in series(totals, labels) {
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

/// Encodes the histogram of durations.
fn durations(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, totals: &LabelledTotals<'_>) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (labels, totals) in totals {
        let bounds = DURATION_BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(totals.durations).collect();
        let mut metric: MetricEncoder<'_> = family.encode_family(labels)?;
        metric.encode_histogram::<NoLabels>(totals.total_duration, totals.durations.iter().sum(), &buckets, None)?;
    }
    Ok(())
}
