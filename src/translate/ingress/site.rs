//! One Ingress, read: its hosts, its paths, and what it asks for.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressSpec};

use crate::api::annotations::Settings;
use crate::model::{HostPattern, ObjectRef, PathMatch};
use crate::status::Reason;

use super::session;
use crate::translate::claim::Age;
use crate::translate::class::{Class, annotation_field, read_annotations};
use crate::translate::report::Reports;

/// An Ingress that is served.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) owner: ObjectRef,
    pub(super) object: &'a Ingress,
    pub(super) settings: Settings,
    /// Whether its class is taken over from ingress-nginx.
    pub(super) ingress_nginx: bool,
    /// Hosts that it has rules for, in the order of the rules, each with the field that names it.
    pub(super) hosts: Vec<(HostPattern, String)>,
    /// Whether its default backend also takes requests for hosts that no rule names, beside its rules.
    pub(super) catches_all: bool,
    /// Its paths, and its default backend once for each host.
    pub(super) paths: Vec<Path<'a>>,
}

/// One path of one host.
#[derive(Debug, Clone)]
pub(super) struct Path<'a> {
    pub(super) host: HostPattern,
    pub(super) path: PathMatch,
    pub(super) backend: &'a IngressBackend,
    /// The field that it comes from.
    pub(super) field: String,
}

impl<'a> Site<'a> {
    pub(super) fn read(owner: ObjectRef, object: &'a Ingress, class: Class, reports: &mut Reports) -> Self {
        let Class { settings, ingress_nginx } = class;
        let settings = read_annotations(settings, &owner, &object.metadata, reports);
        session::check(&owner, &object.metadata, &settings, reports);
        let mut site =
            Self { owner, object, settings, ingress_nginx, hosts: Vec::new(), catches_all: false, paths: Vec::new() };
        if let Some(spec) = &object.spec {
            let extra = site.extra_hosts(reports);
            site.read_rules(spec, &extra, reports);
            site.read_default(spec);
        }
        site
    }

    pub(super) fn age(&self) -> Age<'_> {
        Age::of(&self.object.metadata, &self.owner)
    }

    fn read_rules(&mut self, spec: &'a IngressSpec, extra: &[(HostPattern, String)], reports: &mut Reports) {
        for (index, rule) in spec.rules.iter().flatten().enumerate() {
            let field = format!("spec.rules[{index}]");
            let text = rule.host.as_deref().unwrap_or_default();
            let host = match HostPattern::ingress(text) {
                Ok(host) => host,
                Err(error) => {
                    reports.error(
                        &self.owner,
                        format!("{field}.host"),
                        Reason::InvalidValue,
                        format!("{text:?} is not a host, so the rule is not served: {error}"),
                        "correct the host",
                    );
                    continue;
                }
            };
            let named = if text.is_empty() { field.clone() } else { format!("{field}.host") };
            let mut hosts = vec![(host, named)];
            hosts.extend(extra.iter().cloned());
            for host in hosts {
                if !self.hosts.iter().any(|(known, _)| *known == host.0) {
                    self.hosts.push(host.clone());
                }
                for (index, path) in rule.http.iter().flat_map(|http| &http.paths).enumerate() {
                    self.read_path(host.0.clone(), path, format!("{field}.http.paths[{index}]"), reports);
                }
            }
        }
    }

    /// Reads one path. `ImplementationSpecific` is read as `Prefix`, which the Ingress API permits.
    fn read_path(&mut self, host: HostPattern, path: &'a HTTPIngressPath, field: String, reports: &mut Reports) {
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
            Ok(read) => self.paths.push(Path { host, path: read, backend: &path.backend, field }),
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
    fn read_default(&mut self, spec: &'a IngressSpec) {
        let Some(backend) = &spec.default_backend else { return };
        if spec.rules.as_ref().is_none_or(|rules| rules.is_empty()) {
            self.hosts.push((HostPattern::Any, "spec.defaultBackend".to_owned()));
        }
        self.catches_all = self.hosts.iter().all(|(host, _)| *host != HostPattern::Any);
        let any = self.catches_all.then_some(HostPattern::Any);
        for host in self.hosts.iter().map(|(host, _)| host.clone()).chain(any) {
            let field = "spec.defaultBackend".to_owned();
            self.paths.push(Path { host, path: PathMatch::Any, backend, field });
        }
    }

    /// Hosts that annotations add to each rule.
    fn extra_hosts(&self, reports: &mut Reports) -> Vec<(HostPattern, String)> {
        let lists = [
            ("appgw.ingress.kubernetes.io/hostname-extension", &self.settings.hostname_extension),
            ("nginx.ingress.kubernetes.io/server-alias", &self.settings.server_alias),
        ];
        let mut seen = BTreeSet::new();
        let mut hosts = Vec::new();
        for (key, texts) in lists {
            for text in texts {
                match HostPattern::ingress(text) {
                    Ok(host) if seen.insert(host.clone()) => hosts.push((host, annotation_field(key))),
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
