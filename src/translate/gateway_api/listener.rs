//! The listeners of a Gateway, read: ports, protocols, hosts, certificates, and the routes that they take.

use std::collections::{BTreeMap, BTreeSet};

use super::namespaces::AllowedNamespaces;
use crate::api::gateway_api::{
    AllowedRoutes, FromNamespaces, GROUP, Gateway, GatewayListener, ListenerTls, RouteKind, SecretReference,
};
use crate::model::{CertificateId, HostPattern, Kind, ObjectRef, Protocol};
use crate::report::Reason;
use crate::source::Snapshot;
use crate::translate::claim::PortProtocol;
use crate::translate::grant;
use crate::translate::lookup::Lookup;
use crate::translate::refs::Refs;
use crate::translate::report::{Fault, Reports};

/// A listener that is accepted: its port, protocol and host can be served.
#[derive(Debug)]
pub(super) struct ParsedListener<'a> {
    pub(super) listener: &'a GatewayListener,
    /// Its field path.
    pub(super) field: String,
    pub(super) at: PortProtocol,
    pub(super) host: HostPattern,
    /// The field of the host, or of the listener where it names none.
    pub(super) host_field: String,
    /// Its certificate, if one can be used.
    pub(super) certificate: Option<CertificateId>,
    pub(super) namespaces: AllowedNamespaces<'a>,
    /// Whether it takes HTTPRoutes.
    pub(super) takes_http_routes: bool,
}

impl ParsedListener<'_> {
    /// Whether it can serve clients: it has a certificate, if it needs one.
    pub(super) fn serves(&self) -> bool {
        self.at.protocol == Protocol::Http || self.certificate.is_some()
    }
}

/// The Secrets that a Gateway refers to, and may refer to.
pub(super) fn refs(owner: &ObjectRef, object: &Gateway, snapshot: &Snapshot) -> Refs {
    let references = object.spec.listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let references = references.flat_map(|tls| &tls.certificate_refs);
    let secrets = references.filter_map(|reference| Some(secret(owner, reference, snapshot).ok()?.key)).collect();
    Refs { secrets, ..Refs::default() }
}

/// Reads the listeners, in the order listed. Those that can't be accepted are reported and left out.
pub(super) fn read<'a>(
    owner: &ObjectRef,
    object: &'a Gateway,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Vec<ParsedListener<'a>> {
    let conflicts = Conflicts::of(object);
    let mut names = BTreeSet::new();
    let mut read = Vec::new();
    for (index, listener) in object.spec.listeners.iter().enumerate() {
        let field = format!("spec.listeners[{index}]");
        if !names.insert(&listener.name) {
            let message = format!("another listener has the name {:?}, so this one is not served", listener.name);
            reports.error(owner, format!("{field}.name"), Reason::InvalidValue, message, "give it a name of its own");
            continue;
        }
        if let Some((part, fault)) = conflicts.of_listener(listener) {
            reports.error(owner, format!("{field}.{part}"), fault.reason, fault.message, fault.remedy);
            continue;
        }
        read.extend(read_one(owner, listener, field, lookup, reports));
    }
    read
}

fn read_one<'a>(
    owner: &ObjectRef,
    listener: &'a GatewayListener,
    field: String,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Option<ParsedListener<'a>> {
    let protocol = match listener.protocol.as_str() {
        "HTTP" => Protocol::Http,
        "HTTPS" => Protocol::Https,
        other => {
            let message = format!("protocol {other:?} is not served, so the listener is not");
            reports.error(
                owner,
                format!("{field}.protocol"),
                Reason::UnsupportedProtocol,
                message,
                "write HTTP or HTTPS",
            );
            return None;
        }
    };
    let Some(port) = u16::try_from(listener.port).ok().filter(|port| *port > 0) else {
        let message = format!("{} is no port, so the listener is not served", listener.port);
        reports.error(owner, format!("{field}.port"), Reason::InvalidValue, message, "write a number from 1 to 65535");
        return None;
    };
    let (host, host_field) = match listener.hostname.as_deref() {
        None => (HostPattern::Any, field.clone()),
        Some(text) => match HostPattern::any_labels(text) {
            Ok(host) => (host, format!("{field}.hostname")),
            Err(error) => {
                let message = format!("{text:?} is not a host, so the listener is not served: {error}");
                reports.error(owner, format!("{field}.hostname"), Reason::InvalidValue, message, "correct the host");
                return None;
            }
        },
    };
    let certificate = match (protocol, &listener.tls) {
        (Protocol::Https, tls) => certificate(owner, &field, tls.as_ref(), lookup, reports),
        (_, Some(_)) => {
            let message = "a listener of protocol HTTP has no use for tls, and serves clear text";
            reports.warning(owner, format!("{field}.tls"), Reason::InvalidValue, message, "remove it, or write HTTPS");
            None
        }
        (_, None) => None,
    };
    let (namespaces, kinds) = match &listener.allowed_routes {
        Some(AllowedRoutes { namespaces, kinds }) => (namespaces.as_ref(), kinds.as_slice()),
        None => (None, &[][..]),
    };
    let takes_http_routes = takes_http_routes(owner, &field, kinds, reports);
    let namespaces = allowed_namespaces(owner, &field, namespaces, reports);
    let at = PortProtocol { port, protocol };
    Some(ParsedListener { listener, field, at, host, host_field, certificate, namespaces, takes_http_routes })
}

/// The certificate of a listener of HTTPS: the first that can be used.
fn certificate(
    owner: &ObjectRef,
    field: &str,
    tls: Option<&ListenerTls>,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Option<CertificateId> {
    let field = format!("{field}.tls");
    let Some(ListenerTls { mode, certificate_refs, options: _ }) = tls else {
        let message = "a listener of protocol HTTPS needs a certificate, and has none";
        reports.error(owner, field, Reason::InvalidCertificate, message, "name a Secret in tls.certificateRefs");
        return None;
    };
    if let Some(mode) = mode.as_deref().filter(|mode| *mode != "Terminate") {
        let message = format!("mode {mode:?} is not served for protocol HTTPS, so the listener serves nothing");
        reports.error(owner, format!("{field}.mode"), Reason::UnsupportedValue, message, "write Terminate");
        return None;
    }
    if certificate_refs.is_empty() {
        let message = "a listener of protocol HTTPS needs a certificate, and names none";
        reports.error(owner, format!("{field}.certificateRefs"), Reason::InvalidCertificate, message, "name a Secret");
    }
    let mut usable = Vec::new();
    for (index, reference) in certificate_refs.iter().enumerate() {
        let field = format!("{field}.certificateRefs[{index}]");
        let read = secret(owner, reference, lookup.snapshot)
            .and_then(|secret| lookup.certificate(secret.namespace(), secret.name()).map_err(Fault::of_name));
        match read {
            Ok(id) => usable.push((field, id)),
            Err(fault) => reports.fault(owner, &field, &fault),
        }
    }
    for (field, _) in usable.iter().skip(1) {
        let message = "only the first certificate of a listener is shown in this version, and not this one";
        reports.warning(owner, field, Reason::UnsupportedValue, message, "give its host a listener of its own");
    }
    usable.into_iter().next().map(|(_, id)| id)
}

/// The Secret that a listener names, if it may.
fn secret(owner: &ObjectRef, reference: &SecretReference, snapshot: &Snapshot) -> Result<ObjectRef, Fault> {
    let SecretReference { group, kind, name, namespace } = reference;
    let is_secret =
        group.as_deref().unwrap_or_default().is_empty() && kind.as_deref().is_none_or(|kind| kind == "Secret");
    if !is_secret {
        return Err(Fault {
            reason: Reason::InvalidKind,
            part: ".kind",
            message: "a certificate is read from Secrets alone".to_owned(),
            remedy: "name a Secret of type kubernetes.io/tls".to_owned(),
        });
    }
    let secret = ObjectRef::new(Kind::Secret, namespace.as_deref().unwrap_or(owner.namespace()), name);
    // Whether the Secret exists is not looked at before, or other namespaces could find it out.
    grant::check(snapshot, owner, &secret)?;
    Ok(secret)
}

/// Whether a listener takes HTTPRoutes. Kinds that it can't have are reported.
fn takes_http_routes(owner: &ObjectRef, field: &str, kinds: &[RouteKind], reports: &mut Reports) -> bool {
    let mut takes = kinds.is_empty();
    for (index, RouteKind { group, kind }) in kinds.iter().enumerate() {
        if group.as_deref().is_none_or(|group| group == GROUP) && kind == Kind::HTTPRoute.name() {
            takes = true;
            continue;
        }
        let message = format!("routes of kind {kind:?} are not served on this listener");
        let field = format!("{field}.allowedRoutes.kinds[{index}]");
        reports.error(owner, field, Reason::InvalidRouteKinds, message, "write HTTPRoute, or remove the kind");
    }
    takes
}

fn allowed_namespaces<'a>(
    owner: &ObjectRef,
    field: &str,
    namespaces: Option<&'a FromNamespaces>,
    reports: &mut Reports,
) -> AllowedNamespaces<'a> {
    let field = format!("{field}.allowedRoutes.namespaces");
    let Some(FromNamespaces { from, selector }) = namespaces else { return AllowedNamespaces::Same };
    match (from.as_deref().unwrap_or("Same"), selector) {
        ("Same", _) => AllowedNamespaces::Same,
        ("All", _) => AllowedNamespaces::All,
        ("Selector", Some(selector)) => AllowedNamespaces::Selector(selector),
        ("Selector", None) => {
            let message = "from is Selector, and there is no selector, so the listener takes no route";
            reports.error(owner, field, Reason::InvalidValue, message, "add a selector");
            AllowedNamespaces::None
        }
        ("None", _) => AllowedNamespaces::None,
        (other, _) => {
            let message = format!("{other:?} is no choice of namespaces that is known, so the listener takes no route");
            let remedy = "write Same, All, Selector or None";
            reports.error(owner, format!("{field}.from"), Reason::UnsupportedValue, message, remedy);
            AllowedNamespaces::None
        }
    }
}

/// The listeners of one Gateway that contradict each other. None of them is accepted.
struct Conflicts<'a> {
    protocols: BTreeMap<i32, BTreeSet<&'a str>>,
    /// How many listeners have each port and host.
    hosts: BTreeMap<(i32, String), usize>,
}

impl<'a> Conflicts<'a> {
    fn of(object: &'a Gateway) -> Self {
        let mut conflicts = Self { protocols: BTreeMap::new(), hosts: BTreeMap::new() };
        for listener in &object.spec.listeners {
            conflicts.protocols.entry(listener.port).or_default().insert(&listener.protocol);
            *conflicts.hosts.entry(host_of_port(listener)).or_default() += 1;
        }
        conflicts
    }

    /// The part of a listener that contradicts others, and how.
    fn of_listener(&self, listener: &GatewayListener) -> Option<(&'static str, Fault)> {
        let port = listener.port;
        let (part, reason, what) = if self.protocols.get(&port).is_some_and(|protocols| protocols.len() > 1) {
            ("protocol", Reason::ProtocolConflict, "different protocols")
        } else if self.hosts.get(&host_of_port(listener)).is_some_and(|count| *count > 1) {
            ("hostname", Reason::HostnameConflict, "the same protocol and host")
        } else {
            return None;
        };
        let message = format!("several listeners of port {port} have {what}, so none of them is served");
        Some((part, Fault { reason, part: "", message, remedy: "change all of them but one".to_owned() }))
    }
}

fn host_of_port(listener: &GatewayListener) -> (i32, String) {
    (listener.port, listener.hostname.as_deref().unwrap_or_default().to_ascii_lowercase())
}
