//! One Ingress, read: its hosts, its paths, and what it asks for.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressSpec};

use crate::api::annotations::Settings;
use crate::model::{HostPattern, ObjectRef, PathMatch, WebSocket};
use crate::status::Reason;

use super::{secure, session};
use crate::source::Key;
use crate::translate::claim::Age;
use crate::translate::class::{Class, annotation_field, read_annotations};
use crate::translate::report::Reports;
use crate::translate::user::Refers;

/// An Ingress that is served.
#[derive(Debug)]
pub(in crate::translate) struct Site {
    pub(in crate::translate) owner: Arc<ObjectRef>,
    pub(super) object: Arc<Ingress>,
    pub(super) settings: Arc<Settings>,
    /// What its WebSocket sessions are asked for.
    pub(super) websocket: Arc<WebSocket>,
    /// Whether its class is taken over from ingress-nginx.
    pub(super) ingress_nginx: bool,
    /// Hosts that it has rules for, in the order of the rules, each with the field that names it.
    pub(super) hosts: Vec<(HostPattern, Field)>,
    /// Whether its default backend also takes requests for hosts that no rule names, beside its rules.
    pub(super) catches_all: bool,
    /// Its paths, and its default backend once for each host.
    pub(super) paths: Vec<Path>,
    /// The backends that these lead to.
    pub(super) places: Vec<Place>,
    /// Hosts that its entries of `spec.tls` cover, each with the index of the entry.
    pub(super) covers: Vec<(HostPattern, usize)>,
}

/// One path of one host.
#[derive(Debug)]
pub(super) struct Path {
    /// Which of the site's hosts; `None`: those that no rule names.
    host: Option<usize>,
    pub(super) path: PathMatch,
    /// Which of the site's places.
    pub(super) place: usize,
}

/// Where a backend is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a path of a rule.
    Path(usize, usize),
    /// `spec.defaultBackend`.
    Default,
}

/// The field that names a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// The host of a rule.
    Host(usize),
    /// A rule without one.
    Rule(usize),
    /// This annotation.
    Annotation(&'static str),
    /// `spec.defaultBackend`.
    Default,
}

impl Place {
    /// The field's path. Nearly all Ingresses have the same.
    pub(super) fn field(self) -> Arc<str> {
        static FIRST: LazyLock<Arc<str>> = LazyLock::new(|| Place::Path(0, 0).to_string().into());
        if self == Self::Path(0, 0) { Arc::clone(&FIRST) } else { self.to_string().into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(rule, path) => write!(f, "spec.rules[{rule}].http.paths[{path}]"),
            Self::Default => f.write_str("spec.defaultBackend"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(rule) => write!(f, "spec.rules[{rule}].host"),
            Self::Rule(rule) => write!(f, "spec.rules[{rule}]"),
            Self::Annotation(key) => f.write_str(&annotation_field(key)),
            Self::Default => f.write_str("spec.defaultBackend"),
        }
    }
}

/// What the Ingresses read last ask for: most ask for what their class does, or others of its Ingresses.
#[derive(Debug, Default)]
pub(super) struct Alike(VecDeque<(Arc<Settings>, bool, Arc<WebSocket>)>);

impl Alike {
    /// So many are looked at.
    const MOST: usize = 16;

    fn share(&mut self, settings: Arc<Settings>, ingress_nginx: bool) -> (Arc<Settings>, Arc<WebSocket>) {
        let like = |(known, nginx, _): &&_| (known, nginx) == (&settings, &ingress_nginx);
        if let Some((settings, _, websocket)) = self.0.iter().find(like) {
            return (Arc::clone(settings), Arc::clone(websocket));
        }
        let websocket = Arc::new(session::websocket(&settings, ingress_nginx));
        self.0.truncate(Self::MOST - 1);
        self.0.push_front((Arc::clone(&settings), ingress_nginx, Arc::clone(&websocket)));
        (settings, websocket)
    }
}

impl Site {
    /// Reads an Ingress.
    pub(super) fn read(
        owner: Arc<ObjectRef>,
        object: &Arc<Ingress>,
        class: Class,
        alike: &mut Alike,
        reports: &mut Reports,
    ) -> Self {
        let Class { settings: of_class, ingress_nginx, websocket } = class;
        let settings = read_annotations(Arc::clone(&of_class), &owner, &object.metadata, reports);
        session::check(&owner, &object.metadata, &settings, reports);
        let shares = Arc::ptr_eq(&settings, &of_class);
        let (settings, websocket) = if shares { (settings, websocket) } else { alike.share(settings, ingress_nginx) };
        let mut site = Self {
            owner,
            object: Arc::clone(object),
            settings,
            websocket,
            ingress_nginx,
            hosts: Vec::new(),
            catches_all: false,
            paths: Vec::new(),
            places: Vec::new(),
            covers: Vec::new(),
        };
        if let Some(spec) = &object.spec {
            let extra = site.extra_hosts(reports);
            site.read_rules(spec, &extra, reports);
            site.read_default(spec);
        }
        site.covers = secure::covered(&site, reports);
        site.hosts.shrink_to_fit();
        site.paths.shrink_to_fit();
        site.places.shrink_to_fit();
        site.covers.shrink_to_fit();
        site
    }

    /// Time for the answer's header.
    pub(super) fn request_timeout(&self) -> Duration {
        session::request_timeout(&self.settings, self.ingress_nginx)
    }

    pub(in crate::translate) fn age(&self) -> Age<'_> {
        Age::of(&self.object.metadata, &self.owner)
    }

    /// The host of a path.
    pub(super) fn host_of(&self, path: &Path) -> &HostPattern {
        path.host.and_then(|at| self.hosts.get(at)).map_or(&HostPattern::Any, |(host, _)| host)
    }

    /// The field that names a host, unless it is served without being named.
    pub(super) fn names(&self, host: &HostPattern) -> Option<Field> {
        self.hosts.iter().find(|(named, _)| named == host).map(|(_, field)| *field)
    }

    /// Whether it serves requests to a host.
    pub(super) fn serves(&self, host: &HostPattern) -> bool {
        self.catches_all && *host == HostPattern::Any || self.names(host).is_some()
    }

    /// Every host that it has to do with.
    pub(super) fn touches(&self) -> BTreeSet<HostPattern> {
        let any = self.catches_all.then_some(&HostPattern::Any);
        let named = self.hosts.iter().map(|(host, _)| host);
        named.chain(self.covers.iter().map(|(host, _)| host)).chain(any).cloned().collect()
    }

    /// The backend at a place.
    pub(super) fn backend(&self, place: Place) -> Option<&IngressBackend> {
        let spec = self.object.spec.as_ref()?;
        match place {
            Place::Path(rule, path) => Some(&spec.rules.as_ref()?.get(rule)?.http.as_ref()?.paths.get(path)?.backend),
            Place::Default => spec.default_backend.as_ref(),
        }
    }

    /// The Secret that an entry of `spec.tls` names.
    pub(super) fn secret(&self, entry: usize) -> Option<&str> {
        let tls = self.object.spec.as_ref()?.tls.as_ref()?;
        tls.get(entry)?.secret_name.as_deref().filter(|name| !name.is_empty())
    }

    /// What it refers to.
    pub(in crate::translate) fn refers(&self) -> Refers {
        let key = |name: &str| Key::new(self.owner.namespace.as_str(), name);
        let services = self.places.iter().filter_map(|place| self.backend(*place)?.service.as_ref());
        let entries = 0..self.object.spec.iter().flat_map(|spec| &spec.tls).map(Vec::len).sum();
        Refers {
            services: services.map(|service| key(&service.name)).collect(),
            secrets: entries.filter_map(|entry| self.secret(entry)).map(key).collect(),
            ..Refers::default()
        }
    }

    fn read_rules(&mut self, spec: &IngressSpec, extra: &[(HostPattern, Field)], reports: &mut Reports) {
        for (rule_index, rule) in spec.rules.iter().flatten().enumerate() {
            let text = rule.host.as_deref().unwrap_or_default();
            let host = match HostPattern::ingress(text) {
                Ok(host) => host,
                Err(error) => {
                    reports.error(
                        &self.owner,
                        Field::Host(rule_index).to_string(),
                        Reason::InvalidValue,
                        format!("{text:?} is not a host, so the rule is not served: {error}"),
                        "correct the host",
                    );
                    continue;
                }
            };
            let named = if text.is_empty() { Field::Rule(rule_index) } else { Field::Host(rule_index) };
            let first = self.places.len();
            let paths = rule.http.as_ref().map_or(&[][..], |http| &http.paths);
            self.places.extend((0..paths.len()).map(|path| Place::Path(rule_index, path)));
            for (host, field) in [(host, named)].iter().chain(extra) {
                let at = self.hosts.iter().position(|(known, _)| known == host).unwrap_or_else(|| {
                    self.hosts.push((host.clone(), *field));
                    self.hosts.len() - 1
                });
                for (index, path) in paths.iter().enumerate() {
                    self.read_path(at, path, first + index, reports);
                }
            }
        }
    }

    /// Reads one path. `ImplementationSpecific` is read as `Prefix`, which the Ingress API permits.
    fn read_path(&mut self, host: usize, path: &HTTPIngressPath, place: usize, reports: &mut Reports) {
        let field = self.places[place];
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
            Ok(path) => self.paths.push(Path { host: Some(host), path, place }),
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
    fn read_default(&mut self, spec: &IngressSpec) {
        if spec.default_backend.is_none() {
            return;
        }
        if spec.rules.as_ref().is_none_or(|rules| rules.is_empty()) {
            self.hosts.push((HostPattern::Any, Field::Default));
        }
        self.catches_all = self.hosts.iter().all(|(host, _)| *host != HostPattern::Any);
        let place = self.places.len();
        self.places.push(Place::Default);
        for host in (0..self.hosts.len()).map(Some).chain(self.catches_all.then_some(None)) {
            self.paths.push(Path { host, path: PathMatch::Any, place });
        }
    }

    /// Hosts that annotations add to each rule.
    fn extra_hosts(&self, reports: &mut Reports) -> Vec<(HostPattern, Field)> {
        let lists = [
            ("appgw.ingress.kubernetes.io/hostname-extension", &self.settings.hostname_extension),
            ("nginx.ingress.kubernetes.io/server-alias", &self.settings.server_alias),
        ];
        let mut seen = BTreeSet::new();
        let mut hosts = Vec::new();
        for (key, texts) in lists {
            for text in texts {
                match HostPattern::ingress(text) {
                    Ok(host) if seen.insert(host.clone()) => hosts.push((host, Field::Annotation(key))),
                    Ok(_) => {}
                    Err(error) => reports.warning(
                        &self.owner,
                        annotation_field(key),
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
