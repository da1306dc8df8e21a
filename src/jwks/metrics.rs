//! The metrics of key sets, by URL. Routes have the URLs, so there are few.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{FetchedKeys, KeySets};
use crate::model::KeyUrl;

/// What is counted of the URLs that are displayed alike: those that differ in their query, which is never shown.
#[derive(Debug)]
struct Totals {
    succeeded: u64,
    failed: u64,
    /// Whether all of them have keys.
    usable: bool,
    /// The greatest age, in seconds.
    age: f64,
}

impl Collector for KeySets {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let totals = totals(self.0.sets.load().values());
        let help = "Fetches of key sets, by result";
        let mut fetches = encoder.encode_descriptor("jwks_fetches", help, None, MetricType::Counter)?;
        for (url, Totals { succeeded, failed, .. }) in &totals {
            for (result, count) in [("success", succeeded), ("failure", failed)] {
                let labels = [("url", url.as_str()), ("result", result)];
                ConstCounter::new(*count).encode(fetches.encode_family(&labels)?)?;
            }
        }
        let help = "Whether there are keys to verify tokens with";
        let mut usable = encoder.encode_descriptor("jwks_usable", help, None, MetricType::Gauge)?;
        for (url, totals) in &totals {
            ConstGauge::new(i64::from(totals.usable)).encode(usable.encode_family(&[("url", url.as_str())])?)?;
        }
        let help = "Seconds since a key set was fetched";
        let mut ages = encoder.encode_descriptor("jwks_age_seconds", help, None, MetricType::Gauge)?;
        for (url, totals) in &totals {
            ConstGauge::new(totals.age).encode(ages.encode_family(&[("url", url.as_str())])?)?;
        }
        Ok(())
    }
}

fn totals<'a>(sets: impl Iterator<Item = &'a Arc<FetchedKeys>>) -> BTreeMap<String, Totals> {
    let mut totals = BTreeMap::new();
    for keys in sets {
        let none = Totals { succeeded: 0, failed: 0, usable: true, age: 0.0 };
        let total = totals.entry(KeyUrl::to_string(keys.url())).or_insert(none);
        total.succeeded += keys.succeeded.load(Ordering::Relaxed);
        total.failed += keys.failed.load(Ordering::Relaxed);
        total.usable &= keys.current().is_some();
        total.age = total.age.max(keys.age().as_secs_f64());
    }
    totals
}
