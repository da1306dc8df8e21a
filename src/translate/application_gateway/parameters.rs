//! An ApplicationGateway as the parameters of an IngressClass: the elements that are defaults of the class's Ingresses.
//!
//! The first element of each list is the default: the first listener of each protocol, the first settings, and the probe that these
//! name, or else the first probe. What says where backends are and what they speak (port, protocol, path, Host) stays with each
//! Ingress.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::ApplicationGateway;
use crate::api::annotations::{AffinityBy, AffinitySettings, AgicSettings, AnnotationSettings};
use crate::api::application_gateway::{
    BackendHttpSettings, ConfigReference, CookieBasedAffinity, HttpListener, Protocol,
};
use crate::api::value::RequestTimeout;
use crate::model::{HostHeader, Kind, ObjectRef, Probe};
use crate::source::Snapshot;

use super::element::{Element, Elements, read_number};
use super::ssl_profile::Profiles;
use super::{error_page, listener, probe, reference, settings, websocket};
use crate::translate::class::{ClassFrontends, ClassGateway, ClassPages, ClassRewrites, FrontendPorts};
use crate::translate::error_page::PageRefs;
use crate::translate::report::Reports;

/// Reads a gateway. A value that can't be read is reported on the gateway, and is no default.
pub(super) fn read(
    owner: &ObjectRef,
    object: &ApplicationGateway,
    snapshot: &Snapshot,
    reports: &mut Reports,
) -> ClassGateway {
    let elements = Elements::read(owner, &object.spec, reports);
    let first = |protocol| elements.listeners.iter().find(|listener| listener.value.protocol == protocol);
    let (http, https) = (first(Protocol::Http), first(Protocol::Https));
    let mut port = |listener: &Option<Element<'_, HttpListener>>, default: Option<u16>| {
        let Some(Element { field, value }) = listener else { return default };
        listener::port(owner, &elements, &value.frontend_port, &format!("{field}.frontendPort"), reports).or(default)
    };
    let default = FrontendPorts::default();
    let ports = FrontendPorts { http: port(&http, default.http), https: port(&https, default.https) };
    let profiles = Profiles::read(owner, &object.spec, &elements, snapshot, reports);
    let reference = https.as_ref().and_then(|listener| listener.value.ssl_profile.as_ref());
    let field = https.as_ref().map(|listener| format!("{}.sslProfile", listener.field)).unwrap_or_default();
    let tls = profiles.of_class(&field, reference, &elements, reports);
    let mut of_listener = |listener: &Option<Element<'_, HttpListener>>| match listener {
        Some(Element { field, value }) => {
            error_page::read(owner, field, &value.custom_error_configurations, snapshot, reports)
        }
        None => PageRefs::default(),
    };
    let (http_pages, https_pages) = (of_listener(&http), of_listener(&https));
    let pages = ClassPages {
        gateway: error_page::read(owner, "spec", &object.spec.custom_error_configurations, snapshot, reports),
        http: http_pages,
        https: https_pages,
    };
    let certificate = https.and_then(|Element { field, value }| {
        let reference = value.ssl_certificate.as_ref()?;
        let field = format!("{field}.sslCertificate");
        let found = elements.certificates.find(owner, reference, &field, reports).ok()?;
        config(snapshot, owner, &found.field, Kind::Secret, &found.value.secret_ref, reports).map(|secret| secret.key)
    });
    let first_settings = elements.settings.iter().next();
    let probe = probe(owner, &elements, first_settings.as_ref(), reports);
    let mut roots = BTreeMap::new();
    for Element { field, value: root } in elements.roots.iter() {
        let object = match (&root.secret_ref, &root.config_map_ref) {
            (Some(secret), None) => config(snapshot, owner, &field, Kind::Secret, secret, reports),
            (None, Some(map)) => config(snapshot, owner, &field, Kind::ConfigMap, map, reports),
            _ => None,
        };
        roots.extend(object.map(|object| (root.name.clone(), object)));
    }
    let mut certificates = BTreeMap::new();
    for Element { field, value } in elements.certificates.iter() {
        let secret = config(snapshot, owner, &field, Kind::Secret, &value.secret_ref, reports);
        certificates.extend(secret.map(|secret| (value.name.clone(), secret.key)));
    }
    let rewrites = elements.rewrites.iter();
    let rewrites =
        rewrites.map(|Element { field, value }| (value.name.clone(), ClassRewrites { field, set: value.clone() }));
    ClassGateway {
        object: owner.clone(),
        ports,
        certificate,
        settings: first_settings.map(|first| Arc::new(annotations(owner, &first, reports))).unwrap_or_default(),
        probe,
        certificates,
        roots,
        rewrites: rewrites.collect(),
        pages,
        tls,
        frontends: frontends(&elements),
    }
}

/// The Secret or ConfigMap that an element refers to. A reference that is not permitted is reported.
fn config(
    snapshot: &Snapshot,
    owner: &ObjectRef,
    field: &str,
    kind: Kind,
    reference: &ConfigReference,
    reports: &mut Reports,
) -> Option<ObjectRef> {
    let field = format!("{field}.{}", if kind == Kind::Secret { "secretRef" } else { "configMapRef" });
    reference::config(snapshot, owner, kind, reference).map_err(|fault| reports.fault(owner, &field, &fault)).ok()
}

/// Which kinds of frontends there are.
fn frontends(elements: &Elements<'_>) -> ClassFrontends {
    let mut found = ClassFrontends::default();
    for Element { value, .. } in elements.frontend_ips.iter() {
        match value.private_ip_address {
            Some(_) => found.has_private = true,
            None => found.has_public = true,
        }
    }
    found
}

/// The probe that settings name, or else the first one.
fn probe(
    owner: &ObjectRef,
    elements: &Elements<'_>,
    settings: Option<&Element<'_, BackendHttpSettings>>,
    reports: &mut Reports,
) -> Option<Probe> {
    let named = settings.and_then(|Element { field, value }| Some((field, value.probe.as_ref()?)));
    let found = match named {
        Some((field, reference)) => elements.probes.find(owner, reference, &format!("{field}.probe"), reports).ok()?,
        None => elements.probes.iter().next()?,
    };
    Some(probe::read(owner, &found, &HostHeader::Member, reports))
}

/// Settings as the annotations of an Ingress would have them.
fn annotations(
    owner: &ObjectRef,
    Element { field, value }: &Element<'_, BackendHttpSettings>,
    reports: &mut Reports,
) -> AnnotationSettings {
    let BackendHttpSettings {
        name: _,
        port: _,
        protocol: _,
        request_timeout,
        path: _,
        host_name: _,
        pick_host_name_from_backend_address: _,
        probe: _,
        trusted_root_certificates,
        cookie_based_affinity,
        affinity_cookie_name,
        load_distribution_algorithm,
        connection_draining,
        web_socket,
        upgrade_protocols,
    } = value;
    let read_timeout = |value| read_number::<RequestTimeout>(owner, format!("{field}.requestTimeout"), value, reports);
    let request_timeout = request_timeout.and_then(read_timeout);
    let session_field = format!("{field}.webSocket");
    let (session, draining) = (web_socket.as_ref(), connection_draining.as_ref());
    let by = cookie_based_affinity.map(|affinity| match affinity {
        CookieBasedAffinity::Enabled => AffinityBy::Agic,
        CookieBasedAffinity::Disabled => AffinityBy::Off,
    });
    AnnotationSettings {
        request_timeout,
        session: websocket::read(owner, field, &session_field, session, draining, reports),
        upgrade_protocols: upgrade_protocols.clone(),
        load_distribution: *load_distribution_algorithm,
        affinity: AffinitySettings {
            by,
            agic_cookie: settings::cookie_name(owner, field, affinity_cookie_name.as_deref(), reports)
                .map(str::to_owned),
            ..AffinitySettings::default()
        },
        agic: AgicSettings {
            trusted_roots: trusted_root_certificates.iter().map(|root| root.name.clone()).collect(),
            ..AgicSettings::default()
        },
        ..AnnotationSettings::default()
    }
}
