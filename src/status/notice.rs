//! The Events that reports ask for: their objects, names and notes. A pure function.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use imbl::OrdSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::shorten::shortened;
use crate::api::ApplicationGateway;
use crate::model::{Kind, ObjectRef};
use crate::report::{Reason, Report};
use crate::source::snapshot::Objects;
use crate::source::{Identity, Key, Snapshot};

/// The longest note that the API server accepts, in bytes.
const MAX_NOTE_BYTES: usize = 1024;

/// The longest part of an object's name in the name of its Event: with the hash, the whole is a valid name.
const MAX_NAME_CHARS: usize = 200;

/// One Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The object that has the problem.
    pub object: ObjectRef,
    /// `apiVersion` of its kind.
    pub api_version: &'static str,
    /// `metadata.uid` of the object.
    pub uid: Option<String>,
    /// `metadata.resourceVersion` of the object.
    pub version: Option<String>,
    /// The reason of the report.
    pub reason: Reason,
    /// The field, the message and the remedy of the report.
    pub note: String,
}

/// The Events that the reports ask for, by name. The name is a hash of object, reason, field and message: an Event that
/// exists already is found by its name.
pub fn notices(reports: &OrdSet<Report>, snapshot: &Snapshot) -> BTreeMap<String, Notice> {
    reports.iter().filter_map(|report| notice(report, snapshot)).collect()
}

fn notice(report: &Report, snapshot: &Snapshot) -> Option<(String, Notice)> {
    let Report { object, field, reason, severity: _, message, remedy } = report;
    let (api_version, identity) = find(object, snapshot)?;
    let Identity { uid, resource_version: version } = identity.unwrap_or_default();
    let parts = [object.kind.name(), uid.as_deref().unwrap_or_default(), reason.name(), field, message];
    let hash = digest(&SHA256, parts.join("\0").as_bytes());
    let hash: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name: String = object.name().chars().take(MAX_NAME_CHARS).collect();
    let name = format!("{}.{hash}", name.trim_end_matches(['.', '-']));

    let mut note = if field.is_empty() { message.clone() } else { format!("{field}: {message}") };
    if !remedy.is_empty() {
        note = format!("{note}; {remedy}");
    }
    let note = shortened(note, MAX_NOTE_BYTES);
    Some((name, Notice { object: object.clone(), api_version, uid, version, reason: *reason, note }))
}

/// The version of a kind, and what is known of the object. `None`: it is of a kind that no Event can be about.
fn find(object: &ObjectRef, snapshot: &Snapshot) -> Option<(&'static str, Option<Identity>)> {
    let key = &object.key;
    Some(match object.kind {
        Kind::Ingress => {
            let ingress = snapshot.ingresses.get(key);
            ("networking.k8s.io/v1", ingress.map(|ingress| ingress.identity()))
        }
        Kind::IngressClass => ("networking.k8s.io/v1", of(&snapshot.ingress_classes, key, |it| &it.metadata)),
        Kind::Service => ("v1", of(&snapshot.services, key, |it| &it.metadata)),
        Kind::EndpointSlice => ("discovery.k8s.io/v1", of(&snapshot.endpoint_slices, key, |it| &it.metadata)),
        Kind::Pod => ("v1", of(&snapshot.pods, key, |it| &it.metadata)),
        Kind::Secret => ("v1", of(&snapshot.secrets, key, |it| &it.metadata)),
        Kind::ConfigMap => ("v1", of(&snapshot.config_maps, key, |it| &it.metadata)),
        Kind::Namespace => ("v1", of(&snapshot.namespaces, key, |it| &it.metadata)),
        Kind::ApplicationGateway => {
            ("steadygate.io/v1alpha1", of(&snapshot.gateways, key, |it: &ApplicationGateway| &it.metadata))
        }
        _ => return None,
    })
}

fn of<K>(objects: &Objects<K>, key: &Key, metadata: impl Fn(&K) -> &ObjectMeta) -> Option<Identity> {
    objects.get(key).map(|object| Identity::from(metadata(object)))
}
