//! Cross-origin requests, in the words of ingress-nginx.

use std::sync::Arc;

use http::HeaderValue;

use crate::api::annotations::CorsSettings;
use crate::model::{AllowedOrigin, AllowedOrigins, Cors, ObjectRef, PolicyOrigin};
use crate::report::Reason;
use crate::translate::class::annotation_field;
use crate::translate::report::Reports;

const ENABLE: &str = "nginx.ingress.kubernetes.io/enable-cors";
const ALLOW_ORIGIN: &str = "nginx.ingress.kubernetes.io/cors-allow-origin";

const DEFAULT_METHODS: &str = "GET, PUT, POST, DELETE, PATCH, OPTIONS";
const DEFAULT_HEADERS: &str =
    "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization";
const DEFAULT_MAX_AGE: u32 = 20 * 24 * 60 * 60;

/// The policy that annotations ask for, if they do.
pub(super) fn policy(owner: &Arc<ObjectRef>, settings: &CorsSettings, reports: &mut Reports) -> Option<Arc<Cors>> {
    let CorsSettings { enabled, origins, methods, headers, exposed, credentials, max_age } = settings;
    if *enabled != Some(true) {
        return None;
    }
    let value = |text: &str| HeaderValue::from_str(text).ok();
    let origins = match origins.as_deref() {
        None => AllowedOrigins::Any,
        Some(list) if list.iter().any(|entry| entry == "*") => AllowedOrigins::Any,
        Some(list) => AllowedOrigins::List(read_list(owner, list, reports)),
    };
    if matches!(&origins, AllowedOrigins::List(list) if list.is_empty()) {
        return None;
    }
    Some(Arc::new(Cors {
        origin: PolicyOrigin { owner: Arc::clone(owner), field: annotation_field(ENABLE).into() },
        origins,
        methods: value(methods.as_deref().unwrap_or(DEFAULT_METHODS))?,
        headers: value(headers.as_deref().unwrap_or(DEFAULT_HEADERS))?,
        exposed: exposed.as_deref().and_then(value),
        credentials: credentials.unwrap_or(true),
        max_age: max_age.unwrap_or(DEFAULT_MAX_AGE).into(),
    }))
}

/// Reads a list of origins. What is none is left out, and never taken for every origin.
fn read_list(owner: &ObjectRef, list: &[String], reports: &mut Reports) -> Box<[AllowedOrigin]> {
    let origins = list.iter().filter_map(|text| {
        let origin = AllowedOrigin::parse(text);
        if origin.is_none() {
            let message = format!("{text:?} is no origin, so it allows none");
            let remedy = "write scheme, host and port, such as https://www.example.com or https://*.example.com";
            reports.error(owner, annotation_field(ALLOW_ORIGIN), Reason::InvalidAnnotation, message, remedy);
        }
        origin
    });
    origins.collect()
}
