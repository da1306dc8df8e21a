//! Annotations for sessions that have no effect. The meaning of the others is in `translate::websocket`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::annotations::AnnotationSettings;
use crate::model::ObjectRef;
use crate::report::Reason;
use crate::translate::class::annotation_field;
use crate::translate::report::Reports;
use crate::translate::upgrade;

/// An annotation with a time that has an effect only beside another annotation.
struct DependentTime {
    key: &'static str,
    /// Whether the setting of `key` is there, and the setting of `needs` is not.
    is_alone: bool,
    needs: &'static str,
}

/// Reports times that have no effect, since the annotation that they need is not there, and limits that hold for some sessions
/// only. The annotations of a class are not reported: they are defaults for Ingresses that have the other annotation.
pub(super) fn check(owner: &ObjectRef, metadata: &ObjectMeta, settings: &AnnotationSettings, reports: &mut Reports) {
    let AnnotationSettings { session, connection_draining, connection_draining_timeout, .. } = settings;
    let times = [
        DependentTime {
            key: "steadygate.io/websocket-ping-timeout",
            is_alone: session.ping_timeout.is_some() && session.ping_interval.is_none(),
            needs: "steadygate.io/websocket-ping-interval",
        },
        DependentTime {
            key: "appgw.ingress.kubernetes.io/connection-draining-timeout",
            is_alone: connection_draining_timeout.is_some() && connection_draining.is_none(),
            needs: "appgw.ingress.kubernetes.io/connection-draining",
        },
    ];
    let is_written = |key| metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(key));
    if is_written(upgrade::ANNOTATION) {
        let field = annotation_field(upgrade::ANNOTATION);
        upgrade::check_limits(owner, &field, &settings.upgrade_protocols, session, reports);
    }
    for DependentTime { key, is_alone, needs } in times {
        // An annotation that is there but could not be read has been reported already.
        if is_alone && is_written(key) && !is_written(needs) {
            reports.warning(
                owner,
                annotation_field(key),
                Reason::InvalidAnnotation,
                format!("it has no effect without {needs}"),
                "add that, or remove this",
            );
        }
    }
}
