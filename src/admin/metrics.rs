//! Prometheus metrics: the counters of the proxy and of status, and the state of the other rooms, which is read at each scrape.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::state::AdminState;
use crate::pool::{Shortage, Standing};
use crate::proxy::Metrics;
use crate::report::Severity;
use crate::status;

/// A registry of every metric that `/metrics` shows.
pub(super) fn registry(state: AdminState, proxy: &Metrics, status: &status::StatusMetrics) -> Registry {
    let mut registry = Registry::with_prefix("steadygate");
    proxy.register(&mut registry);
    status.register(&mut registry);
    registry.register_collector(Box::new(state.sessions.clone()));
    registry.register_collector(Box::new(state.key_sets.clone()));
    registry.register_collector(Box::new(state));
    registry
}

impl Collector for AdminState {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let published = self.published.borrow().clone();
        gauge(&mut encoder, "config_generation", "Inputs taken in", published.generation as i64)?;
        gauge(&mut encoder, "listeners_unopened", "Ports that could not be opened", published.unopened.len() as i64)?;
        let swaps = encoder.encode_descriptor("table_swaps", "Routing tables published", None, MetricType::Counter)?;
        ConstCounter::new(published.swaps).encode(swaps)?;

        let mut reports = encoder.encode_descriptor("reports", "Problems of objects", None, MetricType::Gauge)?;
        for severity in [Severity::Error, Severity::Warning] {
            let count = published.reports.iter().filter(|report| report.severity == severity).count();
            let labels = [("severity", severity.to_string())];
            ConstGauge::new(count as i64).encode(reports.encode_family(&labels)?)?;
        }

        let watches = self.watches.states();
        let failing = watches.iter().filter(|(_, state)| state.trouble.is_some()).count() as i64;
        gauge(&mut encoder, "watches_failing", "Watches of the cluster that do not work now", failing)?;
        let help = "Seconds for which a watch has not worked; 0: it works";
        let mut since = encoder.encode_descriptor("watch_failing_seconds", help, None, MetricType::Gauge)?;
        for (watch, state) in &watches {
            let seconds = state.trouble.as_ref().map_or(0.0, |(_, since)| since.as_secs_f64());
            ConstGauge::new(seconds).encode(since.encode_family(&[("watch", watch.as_str())])?)?;
        }
        let help = "Whether a watch has given a whole list";
        let mut listed = encoder.encode_descriptor("watch_listed", help, None, MetricType::Gauge)?;
        for (watch, state) in &watches {
            ConstGauge::new(i64::from(state.listed)).encode(listed.encode_family(&[("watch", watch.as_str())])?)?;
        }
        let mut failures =
            encoder.encode_descriptor("watch_failures", "Failures of watches", None, MetricType::Counter)?;
        for (watch, state) in &watches {
            ConstCounter::new(state.failures).encode(failures.encode_family(&[("watch", watch.as_str())])?)?;
        }
        let help = "Watches that were cut and begun again";
        let mut restarts = encoder.encode_descriptor("watch_restarts", help, None, MetricType::Counter)?;
        for (watch, state) in &watches {
            ConstCounter::new(state.restarts).encode(restarts.encode_family(&[("watch", watch.as_str())])?)?;
        }

        let help = "Connections that could not be opened because this machine lacked something";
        let mut shortages = encoder.encode_descriptor("shortages", help, None, MetricType::Counter)?;
        for shortage in Shortage::ALL {
            let labels = [("resource", shortage.name())];
            ConstCounter::new(shortage.count()).encode(shortages.encode_family(&labels)?)?;
        }

        let mut probes = encoder.encode_descriptor("probes", "Health probes, by result", None, MetricType::Counter)?;
        for (result, count) in self.pools.probe_counters().totals() {
            ConstCounter::new(count).encode(probes.encode_family(&[("result", result)])?)?;
        }

        let mut members =
            encoder.encode_descriptor("pool_members", "Members of pools, by state", None, MetricType::Gauge)?;
        for pool in self.pools.pools().values().filter(|pool| !pool.is_component()) {
            let mut counts = Standing::ALL.map(|standing| (standing, 0));
            for (_, _, standing) in pool.standings() {
                counts.iter_mut().filter(|(counted, _)| *counted == standing).for_each(|(_, count)| *count += 1);
            }
            for (standing, count) in counts {
                let labels = [("pool", &*pool.id.0), ("state", standing.name())];
                ConstGauge::<i64>::new(count).encode(members.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// Encodes a gauge without labels.
fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}
