//! One Ingress, read: its hosts, its paths, and what it asks for.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressSpec, IngressTLS};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::annotations::Settings;
use crate::model::{HostPattern, ObjectRef, PathMatch, WebSocket};
use crate::report::Reason;

use super::{host_tls, session};
use crate::source::Key;
use crate::translate::claim::Age;
use crate::translate::class::{Class, annotation_field, read_annotations};
use crate::translate::report::Reports;
use crate::translate::service::PortRef;
use crate::translate::user::Refers;

/// An Ingress that is served, as translation reads it.
#[derive(Debug)]
pub(in crate::translate) struct ParsedIngress {
    pub(in crate::translate) owner: Arc<ObjectRef>,
    created: Option<Time>,
    pub(super) settings: Arc<Settings>,
    /// What its WebSocket sessions are asked for.
    pub(super) websocket: Arc<WebSocket>,
    /// Whether its class is taken over from ingress-nginx.
    pub(super) ingress_nginx: bool,
    /// Hosts that it has rules for, in the order of the rules, each with the field that names it.
    pub(super) hosts: Box<[(HostPattern, HostField)]>,
    /// Whether its default backend also takes requests for hosts that no rule names, beside its rules.
    pub(super) catches_all: bool,
    /// Its paths, and its default backend once for each host.
    pub(super) paths: Box<[IngressPath]>,
    /// The backends that these lead to.
    pub(super) backends: Box<[BackendRef]>,
    /// What is read of `spec.tls`; `None`: there is none.
    tls: Option<Box<Tls>>,
}

/// What is read of `spec.tls`.
#[derive(Debug)]
struct Tls {
    /// Hosts that its entries cover, each with the index of the entry.
    covers: Box<[(HostPattern, usize)]>,
    /// The Secret that each entry names.
    secrets: Box<[Option<Box<str>>]>,
}

/// One path of one host.
#[derive(Debug)]
pub(super) struct IngressPath {
    /// Which of the Ingress's hosts, from 1; 0: those that no rule names.
    host: u32,
    backend: u32,
    pub(super) path: PathMatch,
}

impl IngressPath {
    fn new(host: Option<usize>, path: PathMatch, backend: usize) -> Self {
        Self { host: host.map_or(0, |host| narrow(host + 1)), backend: narrow(backend), path }
    }

    /// The index among the Ingress's backends.
    pub(super) fn backend(&self) -> usize {
        self.backend as usize
    }
}

/// An index within an Ingress.
fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("no Ingress has so many")
}

/// A backend, and where it is written.
#[derive(Debug)]
pub(super) struct BackendRef {
    pub(super) field: BackendField,
    pub(super) target: Arc<BackendTarget>,
}

/// Where a backend is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BackendField {
    /// In a path of a rule.
    Path(usize, usize),
    /// `spec.defaultBackend`.
    Default,
}

/// What a backend names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BackendTarget {
    /// A Service, and a port of it.
    Service(Box<str>, Option<BackendPort>),
    /// A resource of some other kind.
    Resource,
    Nothing,
}

/// How a backend names a port.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BackendPort {
    Name(Box<str>),
    Number(i32),
}

/// The field that names a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostField {
    /// The host of a rule.
    Host(u32),
    /// A rule without one.
    Rule(u32),
    /// An annotation that adds hosts to each rule.
    Annotation(HostAnnotation),
    /// `spec.defaultBackend`.
    Default,
}

/// The annotations that add hosts to each rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostAnnotation {
    HostnameExtension,
    ServerAlias,
}

impl HostAnnotation {
    fn key(self) -> &'static str {
        match self {
            Self::HostnameExtension => "appgw.ingress.kubernetes.io/hostname-extension",
            Self::ServerAlias => "nginx.ingress.kubernetes.io/server-alias",
        }
    }
}

impl BackendTarget {
    fn of(backend: &IngressBackend) -> Self {
        let Some(service) = &backend.service else {
            return if backend.resource.is_some() { Self::Resource } else { Self::Nothing };
        };
        let port = service.port.as_ref().and_then(|port| {
            let name = port.name.as_deref().map(|name| BackendPort::Name(name.into()));
            name.or(port.number.map(BackendPort::Number))
        });
        Self::Service(service.name.as_str().into(), port)
    }
}

impl BackendPort {
    pub(super) fn as_ref(&self) -> PortRef<'_> {
        match self {
            Self::Name(name) => PortRef::Name(name),
            Self::Number(number) => PortRef::Number(*number),
        }
    }
}

impl BackendField {
    /// The field's path. Nearly all Ingresses have the same.
    pub(super) fn path(self) -> Arc<str> {
        static FIRST: LazyLock<Arc<str>> = LazyLock::new(|| BackendField::Path(0, 0).to_string().into());
        if self == Self::Path(0, 0) { Arc::clone(&FIRST) } else { self.to_string().into() }
    }
}

impl fmt::Display for BackendField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(rule, path) => write!(f, "spec.rules[{rule}].http.paths[{path}]"),
            Self::Default => f.write_str("spec.defaultBackend"),
        }
    }
}

impl fmt::Display for HostField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(rule) => write!(f, "spec.rules[{rule}].host"),
            Self::Rule(rule) => write!(f, "spec.rules[{rule}]"),
            Self::Annotation(extra) => f.write_str(&annotation_field(extra.key())),
            Self::Default => f.write_str("spec.defaultBackend"),
        }
    }
}

/// What the Ingresses read last ask for, and the backends that they name: most ask for what their class does, or others
/// of its Ingresses.
#[derive(Debug, Default)]
pub(super) struct RecentSettings {
    settings: VecDeque<(Arc<Settings>, bool, Arc<WebSocket>)>,
    targets: VecDeque<Arc<BackendTarget>>,
}

impl RecentSettings {
    /// So many are looked at.
    const MOST: usize = 16;

    fn share(&mut self, settings: Arc<Settings>, ingress_nginx: bool) -> (Arc<Settings>, Arc<WebSocket>) {
        let like = |(known, nginx, _): &&_| (known, nginx) == (&settings, &ingress_nginx);
        if let Some((settings, _, websocket)) = self.settings.iter().find(like) {
            return (Arc::clone(settings), Arc::clone(websocket));
        }
        let websocket = Arc::new(session::websocket(&settings, ingress_nginx));
        self.settings.truncate(Self::MOST - 1);
        self.settings.push_front((Arc::clone(&settings), ingress_nginx, Arc::clone(&websocket)));
        (settings, websocket)
    }

    fn share_target(&mut self, target: BackendTarget) -> Arc<BackendTarget> {
        if let Some(known) = self.targets.iter().find(|known| ***known == target) {
            return Arc::clone(known);
        }
        let target = Arc::new(target);
        self.targets.truncate(Self::MOST - 1);
        self.targets.push_front(Arc::clone(&target));
        target
    }
}

/// What is read of the rules and the default backend.
#[derive(Default)]
struct Rules {
    hosts: Vec<(HostPattern, HostField)>,
    paths: Vec<IngressPath>,
    backends: Vec<BackendRef>,
}

impl ParsedIngress {
    /// Reads an Ingress.
    pub(super) fn read(
        owner: Arc<ObjectRef>,
        object: &Ingress,
        class: Class,
        recent: &mut RecentSettings,
        reports: &mut Reports,
    ) -> Self {
        let Class { settings: of_class, ingress_nginx, websocket } = class;
        let settings = read_annotations(Arc::clone(&of_class), &owner, &object.metadata, reports);
        session::check(&owner, &object.metadata, &settings, reports);
        let shares = Arc::ptr_eq(&settings, &of_class);
        let (settings, websocket) = if shares { (settings, websocket) } else { recent.share(settings, ingress_nginx) };
        let mut ingress = Self {
            owner,
            created: object.metadata.creation_timestamp.clone(),
            settings,
            websocket,
            ingress_nginx,
            hosts: Box::default(),
            catches_all: false,
            paths: Box::default(),
            backends: Box::default(),
            tls: None,
        };
        let Some(spec) = &object.spec else { return ingress };
        let mut rules = Rules::default();
        ingress.read_rules(spec, &mut rules, recent, reports);
        ingress.read_default(spec, &mut rules, recent);
        let Rules { hosts, paths, backends } = rules;
        (ingress.hosts, ingress.paths, ingress.backends) = (hosts.into(), paths.into(), backends.into());
        let tls = spec.tls.as_deref().unwrap_or_default();
        let secret = |entry: &IngressTLS| entry.secret_name.as_deref().filter(|name| !name.is_empty()).map(Into::into);
        if !tls.is_empty() {
            let covers = host_tls::covered(&ingress, tls, reports);
            ingress.tls = Some(Box::new(Tls { covers, secrets: tls.iter().map(secret).collect() }));
        }
        ingress
    }

    /// Time for the answer's header.
    pub(super) fn request_timeout(&self) -> Duration {
        session::request_timeout(&self.settings, self.ingress_nginx)
    }

    pub(in crate::translate) fn age(&self) -> Age<'_> {
        Age::of(self.created.as_ref(), &self.owner)
    }

    /// The host of a path.
    pub(super) fn host_of(&self, path: &IngressPath) -> &HostPattern {
        path.host.checked_sub(1).and_then(|at| self.hosts.get(at as usize)).map_or(&HostPattern::Any, |(host, _)| host)
    }

    /// The field that names a host, unless it is served without being named.
    pub(super) fn field_of(&self, host: &HostPattern) -> Option<HostField> {
        self.hosts.iter().find(|(named, _)| named == host).map(|(_, field)| *field)
    }

    /// Whether it serves requests to a host.
    pub(super) fn serves(&self, host: &HostPattern) -> bool {
        self.catches_all && *host == HostPattern::Any || self.field_of(host).is_some()
    }

    /// Every host that it has to do with.
    pub(super) fn all_hosts(&self) -> BTreeSet<HostPattern> {
        let any = self.catches_all.then_some(&HostPattern::Any);
        let named = self.hosts.iter().map(|(host, _)| host);
        named.chain(self.tls_hosts().iter().map(|(host, _)| host)).chain(any).cloned().collect()
    }

    /// Hosts that its entries of `spec.tls` cover, each with the index of the entry.
    pub(super) fn tls_hosts(&self) -> &[(HostPattern, usize)] {
        self.tls.as_ref().map_or(&[], |tls| &tls.covers)
    }

    /// The Secret that an entry of `spec.tls` names.
    pub(super) fn tls_secret(&self, entry: usize) -> Option<&str> {
        self.tls.as_ref()?.secrets.get(entry)?.as_deref()
    }

    /// What it refers to.
    pub(in crate::translate) fn refers(&self) -> Refers {
        let key = |name: &str| Key::new(self.owner.namespace(), name);
        let services = self.backends.iter().filter_map(|backend| match &*backend.target {
            BackendTarget::Service(name, _) => Some(key(name)),
            BackendTarget::Resource | BackendTarget::Nothing => None,
        });
        Refers {
            services: services.collect(),
            secrets: self.tls.iter().flat_map(|tls| &tls.secrets).flatten().map(|name| key(name)).collect(),
            ..Refers::default()
        }
    }

    fn read_rules(&self, spec: &IngressSpec, rules: &mut Rules, recent: &mut RecentSettings, reports: &mut Reports) {
        let extra = self.extra_hosts(reports);
        for (rule_index, rule) in spec.rules.iter().flatten().enumerate() {
            let text = rule.host.as_deref().unwrap_or_default();
            let host = match HostPattern::ingress(text) {
                Ok(host) => host,
                Err(error) => {
                    reports.error(
                        &self.owner,
                        HostField::Host(narrow(rule_index)).to_string(),
                        Reason::InvalidValue,
                        format!("{text:?} is not a host, so the rule is not served: {error}"),
                        "correct the host",
                    );
                    continue;
                }
            };
            let named =
                if text.is_empty() { HostField::Rule(narrow(rule_index)) } else { HostField::Host(narrow(rule_index)) };
            let first = rules.backends.len();
            let paths = rule.http.as_ref().map_or(&[][..], |http| &http.paths);
            rules.backends.extend(paths.iter().enumerate().map(|(index, path)| BackendRef {
                field: BackendField::Path(rule_index, index),
                target: recent.share_target(BackendTarget::of(&path.backend)),
            }));
            for (host, field) in [(host, named)].iter().chain(&extra) {
                let at = rules.hosts.iter().position(|(known, _)| known == host).unwrap_or_else(|| {
                    rules.hosts.push((host.clone(), *field));
                    rules.hosts.len() - 1
                });
                for (index, path) in paths.iter().enumerate() {
                    self.read_path(at, path, first + index, rules, reports);
                }
            }
        }
    }

    /// Reads one path. `ImplementationSpecific` is read as `Prefix`, which the Ingress API permits.
    fn read_path(&self, host: usize, path: &HTTPIngressPath, backend: usize, rules: &mut Rules, reports: &mut Reports) {
        let field = rules.backends[backend].field;
        let text = path.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
        let read = match path.path_type.as_str() {
            "Exact" => PathMatch::exact(text),
            "Prefix" => PathMatch::prefix(text),
            "ImplementationSpecific" => {
                // `/*` at the end means the elements below, as with AGIC and GKE.
                let prefix =
                    text.strip_suffix("/*").map_or(text, |parent| if parent.is_empty() { "/" } else { parent });
                if prefix.contains('*') {
                    reports.warning(
                        &self.owner,
                        format!("{field}.path"),
                        Reason::Unsupported,
                        format!("ImplementationSpecific is read as Prefix, so the '*' of {text:?} stands for itself"),
                        "write the path without '*', with pathType Prefix",
                    );
                }
                PathMatch::prefix(prefix)
            }
            other => {
                return reports.error(
                    &self.owner,
                    format!("{field}.pathType"),
                    Reason::InvalidValue,
                    format!("{other:?} is no path type, so the path is not served"),
                    "write Exact, Prefix or ImplementationSpecific",
                );
            }
        };
        match read {
            Ok(path) => rules.paths.push(IngressPath::new(Some(host), path, backend)),
            Err(error) => reports.error(
                &self.owner,
                format!("{field}.path"),
                Reason::InvalidValue,
                format!("{text:?} is not a path, so it is not served: {error}"),
                "correct the path",
            ),
        }
    }

    /// The default backend takes what the paths of its own hosts leave, and the hosts that no rule names.
    fn read_default(&mut self, spec: &IngressSpec, rules: &mut Rules, recent: &mut RecentSettings) {
        let Some(backend) = &spec.default_backend else { return };
        if spec.rules.as_ref().is_none_or(|rules| rules.is_empty()) {
            rules.hosts.push((HostPattern::Any, HostField::Default));
        }
        self.catches_all = rules.hosts.iter().all(|(host, _)| *host != HostPattern::Any);
        let index = rules.backends.len();
        rules
            .backends
            .push(BackendRef { field: BackendField::Default, target: recent.share_target(BackendTarget::of(backend)) });
        for host in (0..rules.hosts.len()).map(Some).chain(self.catches_all.then_some(None)) {
            rules.paths.push(IngressPath::new(host, PathMatch::Any, index));
        }
    }

    /// Hosts that annotations add to each rule.
    fn extra_hosts(&self, reports: &mut Reports) -> Vec<(HostPattern, HostField)> {
        let lists = [
            (HostAnnotation::HostnameExtension, &self.settings.hostname_extension),
            (HostAnnotation::ServerAlias, &self.settings.server_alias),
        ];
        let mut seen = BTreeSet::new();
        let mut hosts = Vec::new();
        for (extra, texts) in lists {
            for text in texts {
                match HostPattern::ingress(text) {
                    Ok(host) if seen.insert(host.clone()) => hosts.push((host, HostField::Annotation(extra))),
                    Ok(_) => {}
                    Err(error) => reports.warning(
                        &self.owner,
                        annotation_field(extra.key()),
                        Reason::InvalidAnnotation,
                        format!("{text:?} is not a host, so it is left out: {error}"),
                        "correct the host; regular expressions are not supported",
                    ),
                }
            }
        }
        hosts
    }
}
