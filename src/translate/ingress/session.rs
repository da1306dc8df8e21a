//! What the annotations of an Ingress ask of its WebSocket sessions.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::SessionSettings;
use crate::api::annotations::Settings;
use crate::api::session::DEFAULT_DRAIN_TIME;
use crate::model::{ObjectRef, WebSocket};
use crate::report::Reason;

use crate::translate::class::annotation_field;
use crate::translate::report::Reports;
use crate::translate::websocket::with_defaults;

/// Time for the answer's header. Classes that are taken over from ingress-nginx keep its default.
pub(super) fn request_timeout(settings: &Settings, ingress_nginx: bool) -> Duration {
    settings.request_timeout.unwrap_or(Duration::from_secs(if ingress_nginx { 60 } else { 30 }))
}

/// What they ask for, with defaults.
pub(in crate::translate) fn websocket(settings: &Settings, ingress_nginx: bool) -> WebSocket {
    let draining = settings.connection_draining.unwrap_or_default();
    let drain = draining.then(|| settings.connection_draining_timeout.unwrap_or(DEFAULT_DRAIN_TIME));
    let session = SessionSettings { drain: settings.session.drain.or(drain), ..settings.session.clone() };
    with_defaults(&session, request_timeout(settings, ingress_nginx))
}

/// Tells of times that have no effect, since what they are for is not asked for. Those of the class are for Ingresses
/// that ask for it.
pub(super) fn check(owner: &ObjectRef, metadata: &ObjectMeta, settings: &Settings, reports: &mut Reports) {
    let Settings { session, connection_draining, connection_draining_timeout, .. } = settings;
    let times = [
        (
            "steadygate.io/websocket-ping-timeout",
            session.ping_timeout.is_some() && session.ping_interval.is_none(),
            "steadygate.io/websocket-ping-interval",
        ),
        (
            "appgw.ingress.kubernetes.io/connection-draining-timeout",
            connection_draining_timeout.is_some() && connection_draining.is_none(),
            "appgw.ingress.kubernetes.io/connection-draining",
        ),
    ];
    let is_written = |key| metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(key));
    for (key, alone, needed) in times {
        // One that can't be read has been reported.
        if alone && is_written(key) && !is_written(needed) {
            reports.warning(
                owner,
                annotation_field(key),
                Reason::InvalidAnnotation,
                format!("it has no effect without {needed}"),
                "add that, or remove this",
            );
        }
    }
}
