//! Reading of an Ingress: annotations, then rules and the default backend, then `spec.tls`. What can't be read is
//! reported and left out. Other objects are not looked at here.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressSpec};

use super::backend_ref::{BackendField, BackendRef, BackendTarget};
use super::elements::ElementReader;
use super::host_field::{HostAnnotation, HostField};
use super::parsed::{HostIndex, IngressPath, ParsedIngress, narrow};
use super::recent::RecentSettings;
use super::{policies, session};
use crate::api::annotations::AnnotationSettings;
use crate::model::{HostPattern, ObjectRef, PathMatch};
use crate::report::Reason;
use crate::translate::class::{Class, DefaultCertificate, read_annotations};
use crate::translate::report::Reports;

impl ParsedIngress {
    /// Reads an Ingress of a class. `None`: it is the canary of another, and is not served.
    pub(super) fn read(
        owner: Arc<ObjectRef>,
        object: &Ingress,
        class: Class,
        default: DefaultCertificate,
        recent: &mut RecentSettings,
        reports: &mut Reports,
    ) -> Option<Self> {
        // Annotations. Most Ingresses have none of their own, and then share the settings of their class.
        let Class { settings: class_settings, origin, parameters, websocket } = class;
        let settings = read_annotations(Arc::clone(&class_settings), &owner, &object.metadata, reports);
        if settings.is_canary {
            return None;
        }
        session::check(&owner, &object.metadata, &settings, reports);
        let (settings, websocket) = if Arc::ptr_eq(&settings, &class_settings) {
            (settings, websocket)
        } else {
            recent.share_settings(settings)
        };
        // Rules, and then the default backend, which serves what they leave.
        let mut rules = RuleReader::new(&owner, recent, reports);
        let mut catches_all = false;
        if let Some(spec) = &object.spec {
            rules.read_rules(spec.rules.as_deref().unwrap_or_default(), &settings);
            catches_all = spec.default_backend.as_ref().is_some_and(|backend| rules.read_default(backend, spec));
        }
        let RuleReader { hosts, paths, backends, .. } = rules;
        // What its class's ApplicationGateway gives, and `spec.tls`, which covers the hosts of the rules.
        let reader = ElementReader { owner: &owner, settings: &settings, parameters: &parameters };
        let closed = reader.closed(reports);
        let entries = object.spec.as_ref().and_then(|spec| spec.tls.as_deref()).unwrap_or_default();
        let tls = reader.tls(entries, &hosts, default, reports);
        let ports = reader.ports(tls.is_some());
        Some(Self {
            policies: policies::read(&owner, &settings),
            owner,
            created: object.metadata.creation_timestamp.clone(),
            settings,
            websocket,
            origin,
            parameters,
            ports,
            closed,
            hosts: hosts.into(),
            catches_all,
            paths: paths.into(),
            backends: backends.into(),
            tls,
        })
    }
}

/// Reads the rules and the default backend of an Ingress.
struct RuleReader<'a> {
    owner: &'a ObjectRef,
    recent: &'a mut RecentSettings,
    reports: &'a mut Reports,
    hosts: Vec<(HostPattern, HostField)>,
    paths: Vec<IngressPath>,
    backends: Vec<BackendRef>,
}

impl<'a> RuleReader<'a> {
    fn new(owner: &'a ObjectRef, recent: &'a mut RecentSettings, reports: &'a mut Reports) -> Self {
        Self { owner, recent, reports, hosts: Vec::new(), paths: Vec::new(), backends: Vec::new() }
    }

    fn read_rules(&mut self, rules: &[IngressRule], settings: &AnnotationSettings) {
        let extra = self.read_extra_hosts(settings);
        for (index, rule) in rules.iter().enumerate() {
            self.read_rule(index, rule, &extra);
        }
    }

    /// Reads one rule, which is for its own host and for those in `extra`.
    fn read_rule(&mut self, rule_index: usize, rule: &IngressRule, extra: &[(HostPattern, HostField)]) {
        let rule_number = narrow(rule_index);
        let text = rule.host.as_deref().unwrap_or_default();
        let host = match HostPattern::ingress(text) {
            Ok(host) => host,
            Err(error) => {
                return self.reports.error(
                    self.owner,
                    HostField::Host(rule_number).to_string(),
                    Reason::InvalidValue,
                    format!("{text:?} is not a host, so the rule is not served: {error}"),
                    "correct the host",
                );
            }
        };
        let field = if text.is_empty() { HostField::Rule(rule_number) } else { HostField::Host(rule_number) };
        let paths = rule.http.as_ref().map_or(&[][..], |http| &http.paths);
        let first_backend = self.backends.len();
        for (index, path) in paths.iter().enumerate() {
            self.add_backend(BackendField::Path(rule_index, index), &path.backend);
        }
        for (host, field) in [(host, field)].iter().chain(extra) {
            let host = self.add_host(host, *field);
            for (index, path) in paths.iter().enumerate() {
                self.read_path(host, path, first_backend + index);
            }
        }
    }

    /// Adds a host, unless an earlier rule has it.
    fn add_host(&mut self, host: &HostPattern, field: HostField) -> HostIndex {
        let index = self.hosts.iter().position(|(known, _)| known == host).unwrap_or_else(|| {
            self.hosts.push((host.clone(), field));
            self.hosts.len() - 1
        });
        HostIndex::new(index)
    }

    /// Adds a backend, and gives its index.
    fn add_backend(&mut self, field: BackendField, backend: &IngressBackend) -> usize {
        let target = self.recent.share_target(BackendTarget::read(backend));
        self.backends.push(BackendRef { field, target });
        self.backends.len() - 1
    }

    /// Reads one path. `ImplementationSpecific` is read as `Prefix`, which the Ingress API permits.
    fn read_path(&mut self, host: HostIndex, path: &HTTPIngressPath, backend: usize) {
        let field = self.backends[backend].field;
        let text = path.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
        let read = match path.path_type.as_str() {
            "Exact" => PathMatch::exact(text),
            "Prefix" => PathMatch::prefix(text),
            "ImplementationSpecific" => {
                // `/*` at the end means the elements below, as in AGIC and GKE.
                let below = text.strip_suffix("/*");
                let prefix = below.map_or(text, |parent| if parent.is_empty() { "/" } else { parent });
                if let Some(parent) = below.filter(|parent| !parent.is_empty()) {
                    self.reports.warning(
                        self.owner,
                        format!("{field}.path"),
                        Reason::Unsupported,
                        format!("ImplementationSpecific {text:?} is read as Prefix {parent:?}, which takes {parent} itself too"),
                        "nothing, if that is meant; else write it so, with pathType Prefix",
                    );
                }
                if prefix.contains('*') {
                    self.reports.warning(
                        self.owner,
                        format!("{field}.path"),
                        Reason::Unsupported,
                        format!("ImplementationSpecific is read as Prefix, so the '*' of {text:?} stands for itself"),
                        "write the path without '*', with pathType Prefix",
                    );
                }
                PathMatch::prefix(prefix)
            }
            other => {
                return self.reports.error(
                    self.owner,
                    format!("{field}.pathType"),
                    Reason::InvalidValue,
                    format!("{other:?} is no path type, so the path is not served"),
                    "write Exact, Prefix or ImplementationSpecific",
                );
            }
        };
        match read {
            Ok(path) => self.paths.push(IngressPath::new(Some(host), path, backend)),
            Err(error) => self.reports.error(
                self.owner,
                format!("{field}.path"),
                Reason::InvalidValue,
                format!("{text:?} is not a path, so it is not served: {error}"),
                "correct the path",
            ),
        }
    }

    /// Reads the default backend. It serves each host of the rules where no path matches, and the hosts that no rule
    /// names, unless a rule is for any host. Gives whether it serves those hosts.
    fn read_default(&mut self, backend: &IngressBackend, spec: &IngressSpec) -> bool {
        if spec.rules.as_ref().is_none_or(|rules| rules.is_empty()) {
            self.hosts.push((HostPattern::Any, HostField::Default));
        }
        let catches_all = self.hosts.iter().all(|(host, _)| *host != HostPattern::Any);
        let backend = self.add_backend(BackendField::Default, backend);
        let named = (0..self.hosts.len()).map(|index| Some(HostIndex::new(index)));
        for host in named.chain(catches_all.then_some(None)) {
            self.paths.push(IngressPath::new(host, PathMatch::Any, backend));
        }
        catches_all
    }

    /// The hosts that annotations add to each rule.
    fn read_extra_hosts(&mut self, settings: &AnnotationSettings) -> Vec<(HostPattern, HostField)> {
        let lists = [
            (HostAnnotation::HostnameExtension, &settings.hostname_extension),
            (HostAnnotation::ServerAlias, &settings.server_alias),
        ];
        let mut seen = BTreeSet::new();
        let mut hosts = Vec::new();
        for (annotation, texts) in lists {
            for text in texts {
                match annotation.read(text) {
                    Ok(host) if seen.insert(host.clone()) => hosts.push((host, HostField::Annotation(annotation))),
                    Ok(_) => {}
                    Err(error) => self.reports.warning(
                        self.owner,
                        annotation.field(),
                        Reason::InvalidAnnotation,
                        format!("{text:?} is not a host, so it is left out: {error}"),
                        annotation.remedy(),
                    ),
                }
            }
        }
        hosts
    }
}
