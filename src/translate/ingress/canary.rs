//! What an Ingress that is a canary asks for: its share of requests, and what chooses it.

use std::sync::Arc;

use http::HeaderName;

use crate::api::annotations::CanarySettings;
use crate::model::{
    Canary, CanaryHeader, CanaryValues, Case, Forward, ObjectRef, Pattern, PolicyOrigin, PoolId, WeightedPool,
    WeightedPools,
};
use crate::report::Reason;
use crate::translate::class::annotation_field;
use crate::translate::report::Reports;

pub(super) const CANARY: &str = "nginx.ingress.kubernetes.io/canary";
const HEADER_PATTERN: &str = "nginx.ingress.kubernetes.io/canary-by-header-pattern";

/// Weights are shares of this, if no annotation says of what.
const DEFAULT_TOTAL: u32 = 100;

/// What an Ingress that is a canary asks for.
#[derive(Debug)]
pub(super) struct CanaryShare {
    /// What chooses it.
    pub(super) canary: Arc<Canary>,
    /// Its share, of `total`.
    weight: u32,
    total: u32,
}

impl CanaryShare {
    /// Reads it. An expression that can't be read has its header choose the main backend.
    pub(super) fn read(owner: &Arc<ObjectRef>, settings: &CanarySettings, reports: &mut Reports) -> Option<Box<Self>> {
        let CanarySettings { enabled, weight, total, header, header_value, header_pattern, cookie } = settings;
        if !enabled {
            return None;
        }
        let name = header.as_deref().and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        let header = name.map(|name| {
            let values = match (header_value, header_pattern) {
                (Some(value), _) => CanaryValues::Equal(value.as_str().into()),
                (None, Some(text)) => match Pattern::compile(text, Case::Sensitive) {
                    Ok(pattern) => CanaryValues::Matching(pattern),
                    Err(error) => {
                        let message =
                            format!("{text:?} is no pattern, so the header never chooses the canary: {error}");
                        let field = annotation_field(HEADER_PATTERN);
                        reports.error(owner, field, Reason::InvalidAnnotation, message, error.remedy());
                        CanaryValues::None
                    }
                },
                (None, None) => CanaryValues::AlwaysOrNever,
            };
            CanaryHeader { name, values }
        });
        let total = total.unwrap_or(DEFAULT_TOTAL).max(DEFAULT_TOTAL);
        let origin = PolicyOrigin { owner: Arc::clone(owner), field: annotation_field(CANARY).into() };
        let canary = Canary { origin, header, cookie: cookie.as_deref().map(Into::into) };
        Some(Box::new(Self { canary: Arc::new(canary), weight: weight.unwrap_or_default().min(total), total }))
    }

    /// Has a route lead to the pool of the canary as well.
    pub(super) fn split(&self, forward: &mut Forward, canary: PoolId) {
        let WeightedPools::One { pool: main } = &forward.pools else { return };
        let Self { weight, total, .. } = *self;
        let main = WeightedPool { pool: main.clone(), weight: total - weight };
        let pools = [main, WeightedPool { pool: canary, weight }].into();
        forward.pools = WeightedPools::Several { pools, invalid: 0 };
    }
}
