//! Limits for what clients send, in the words of ingress-nginx.

use std::sync::Arc;

use crate::api::annotations::LimitSettings;
use crate::model::{BodyLimit, ObjectRef, PolicyOrigin, RateLimit, RateUnit, RequestLimits};
use crate::translate::class::{ClassOrigin, annotation_field};

const BODY_SIZE: &str = "nginx.ingress.kubernetes.io/proxy-body-size";

/// The default of ingress-nginx for bodies, in bytes.
const DEFAULT_BODY_SIZE: u64 = 1024 * 1024;

const DEFAULT_BURST_MULTIPLIER: u32 = 5;

const TOO_MANY_REQUESTS: u16 = 429;
const SERVICE_UNAVAILABLE: u16 = 503;

/// The limits for requests that annotations ask for, if they do.
pub(super) fn requests(
    owner: &Arc<ObjectRef>,
    settings: &LimitSettings,
    origin: ClassOrigin,
) -> Option<Arc<RequestLimits>> {
    let LimitSettings { per_second, per_minute, connections, burst_multiplier, exempt, body_size: _ } = settings;
    let multiplier = burst_multiplier.unwrap_or(DEFAULT_BURST_MULTIPLIER);
    let rate = |requests: &Option<u32>, per| {
        let requests = requests.filter(|requests| *requests > 0)?;
        Some(RateLimit { requests, per, burst: u64::from(requests) * u64::from(multiplier) })
    };
    let rates = [rate(per_second, RateUnit::Second), rate(per_minute, RateUnit::Minute)];
    let rates: Box<[RateLimit]> = rates.into_iter().flatten().collect();
    let concurrent = connections.filter(|connections| *connections > 0);
    let key = match (&rates[..], concurrent) {
        ([], None) => return None,
        ([], Some(_)) => "limit-connections",
        ([RateLimit { per: RateUnit::Minute, .. }, ..], _) => "limit-rpm",
        _ => "limit-rps",
    };
    let field = annotation_field(&format!("nginx.ingress.kubernetes.io/{key}"));
    Some(Arc::new(RequestLimits {
        origin: PolicyOrigin { owner: Arc::clone(owner), field: field.into() },
        rates,
        concurrent,
        exempt: exempt.iter().flat_map(|(_, networks)| networks).copied().collect(),
        status: if origin == ClassOrigin::IngressNginx { SERVICE_UNAVAILABLE } else { TOO_MANY_REQUESTS },
    }))
}

/// The limit for bodies: that of an annotation, or the default of the class.
pub(super) fn body(owner: &Arc<ObjectRef>, settings: &LimitSettings, origin: ClassOrigin) -> Option<BodyLimit> {
    let (bytes, field) = match settings.body_size {
        Some(bytes) => (bytes, annotation_field(BODY_SIZE)),
        None if origin == ClassOrigin::IngressNginx => (DEFAULT_BODY_SIZE, "spec.ingressClassName".to_owned()),
        None => return None,
    };
    (bytes > 0).then(|| BodyLimit { origin: PolicyOrigin { owner: Arc::clone(owner), field: field.into() }, bytes })
}
