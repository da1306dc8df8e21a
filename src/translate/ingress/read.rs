//! Reading of an Ingress: annotations, then rules and the default backend, then `spec.tls`. What can't be read is
//! reported and left out. Other objects are not looked at here.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressRule};

use super::backend_ref::{BackendField, BackendRef, BackendTarget};
use super::canary::CanaryShare;
use super::elements::ElementReader;
use super::host_field::{HostAnnotation, HostField};
use super::parsed::{HostIndex, IngressPath, ParsedIngress, narrow};
use super::path::{self, PathReader, PathSyntax};
use super::recent::RecentSettings;
use super::redirect::{to_url, www};
use super::rewrite_target::RewrittenPath;
use super::{policies, session};
use crate::api::annotations::AnnotationSettings;
use crate::model::{HostPattern, ObjectRef, PathMatch, RewriteSet};
use crate::report::Reason;
use crate::translate::class::{Class, DefaultCertificate, read_annotations};
use crate::translate::report::Reports;

impl ParsedIngress {
    /// Reads an Ingress of a class.
    pub(super) fn read(
        owner: Arc<ObjectRef>,
        object: &Ingress,
        class: Arc<Class>,
        default_certificate: DefaultCertificate,
        recent: &mut RecentSettings,
        reports: &mut Reports,
    ) -> Self {
        // Annotations. Most Ingresses have none of their own, and then share the settings of their class.
        let settings = read_annotations(Arc::clone(&class.settings), &owner, &object.metadata, reports);
        // Of a canary, which is often a copy of the other Ingress, nothing else matters.
        let canary = CanaryShare::read(&owner, &settings.canary, reports);
        let mut unheard = Reports::default();
        let reports = if canary.is_some() { &mut unheard } else { reports };
        session::check(&owner, &object.metadata, &settings, reports);
        let (settings, websocket) = if Arc::ptr_eq(&settings, &class.settings) {
            (settings, Arc::clone(&class.websocket))
        } else {
            recent.share_settings(settings)
        };
        // Rules, and then the default backend, which serves what they leave.
        let written = object.spec.as_ref().and_then(|spec| spec.rules.as_deref()).unwrap_or_default();
        let mut rules = RuleReader {
            owner: &owner,
            settings: &settings,
            syntax: if canary.is_some() { PathSyntax::Regex } else { PathSyntax::of(&settings.paths, written) },
            recent,
            reports,
            hosts: Vec::new(),
            paths: Vec::new(),
            backends: Vec::new(),
            rewrites: Vec::new(),
        };
        rules.read_rules(written);
        let default = object.spec.as_ref().and_then(|spec| spec.default_backend.as_ref());
        let catches_all = default.is_some_and(|backend| rules.read_default(backend, written));
        if settings.redirects.www == Some(true) {
            rules.read_www();
        }
        let RuleReader { hosts, paths, backends, rewrites, .. } = rules;
        // What its class's ApplicationGateway gives, and `spec.tls`, which covers the hosts of the rules.
        let reader = ElementReader { owner: &owner, settings: &settings, parameters: &class.parameters };
        let closed = reader.closed(reports);
        let entries = object.spec.as_ref().and_then(|spec| spec.tls.as_deref()).unwrap_or_default();
        let tls = reader.tls(entries, &hosts, default_certificate, reports);
        let ports = reader.ports(tls.is_some());
        Self {
            canary,
            policies: policies::read(&owner, &settings, &class, reports),
            redirect: to_url::read(&owner, &settings.redirects, reports),
            rewrites: rewrites.into(),
            owner,
            created: object.metadata.creation_timestamp.clone(),
            settings,
            websocket,
            class,
            ports,
            closed,
            hosts: hosts.into(),
            catches_all,
            paths: paths.into(),
            backends: backends.into(),
            tls,
        }
    }
}

/// Reads the rules and the default backend of an Ingress.
struct RuleReader<'a> {
    owner: &'a Arc<ObjectRef>,
    settings: &'a AnnotationSettings,
    syntax: PathSyntax,
    recent: &'a mut RecentSettings,
    reports: &'a mut Reports,
    hosts: Vec<(HostPattern, HostField)>,
    paths: Vec<IngressPath>,
    backends: Vec<BackendRef>,
    /// By the index of the backend.
    rewrites: Vec<Option<Arc<RewriteSet>>>,
}

impl RuleReader<'_> {
    fn read_rules(&mut self, rules: &[IngressRule]) {
        let extra = self.read_extra_hosts();
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
        let written = rule.http.as_ref().map_or(&[][..], |http| &http.paths);
        let mut paths = Vec::with_capacity(written.len());
        for (index, path) in written.iter().enumerate() {
            let field = BackendField::Path(rule_index, index);
            let backend = self.add_backend(field, &path.backend);
            paths.extend(self.read_path(field, path).map(|path| (path, backend)));
        }
        for (host, field) in [(host, field)].iter().chain(extra) {
            let host = self.add_host(host, *field);
            self.paths.extend(paths.iter().map(|(path, backend)| IngressPath::new(Some(host), path.clone(), *backend)));
        }
    }

    /// Reads a path, and what is rewritten of its requests. Its backend has been added just before.
    fn read_path(&mut self, field: BackendField, path: &HTTPIngressPath) -> Option<PathMatch> {
        let Self { owner, syntax, recent, reports, .. } = self;
        let matches = PathReader { owner, syntax: *syntax, recent, reports }.read(field, path)?;
        let target = self.backends.last().map(|backend| Arc::clone(&backend.target))?;
        let rewritten = RewrittenPath { owner, field, text: path::text(path), path: &matches, target: &target };
        if let Some(rewrites) = rewritten.rewrites(&self.settings.paths, reports) {
            self.rewrites.resize(self.backends.len() - 1, None);
            self.rewrites.push(Some(rewrites));
        }
        Some(matches)
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

    /// Reads the default backend. It serves each host of the rules where no path matches, and the hosts that no rule
    /// names, unless a rule is for any host. Gives whether it serves those hosts.
    fn read_default(&mut self, backend: &IngressBackend, rules: &[IngressRule]) -> bool {
        if rules.is_empty() {
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

    /// Adds the hosts that are redirected to those of the rules, or from there. They have no paths.
    fn read_www(&mut self) {
        let hosts = self.hosts.iter().filter(|(_, field)| matches!(field, HostField::Host(_)));
        for host in hosts.filter_map(|(host, _)| www::counterpart(host)).collect::<Vec<_>>() {
            self.add_host(&host, HostField::Annotation(HostAnnotation::FromToWww));
        }
    }

    /// The hosts that annotations add to each rule.
    fn read_extra_hosts(&mut self) -> Vec<(HostPattern, HostField)> {
        let lists = [
            (HostAnnotation::HostnameExtension, &self.settings.hostname_extension),
            (HostAnnotation::ServerAlias, &self.settings.server_alias),
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
