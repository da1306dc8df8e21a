//! Paths of rules: from text and type to a condition on paths.

use k8s_openapi::api::networking::v1::{HTTPIngressPath, IngressRule};

use super::backend_ref::BackendField;
use super::recent::RecentSettings;
use crate::api::annotations::PathSettings;
use crate::model::{ObjectRef, PathMatch, PathMatchError, PatternError};
use crate::report::Reason;
use crate::translate::report::Reports;

/// How those paths of an Ingress are read that are not `Exact`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathSyntax {
    /// As the start of a path.
    Literal,
    /// As a regular expression. One Ingress never changes how the paths of another are read.
    Regex,
}

impl PathSyntax {
    /// The syntax that annotations ask for. As in ingress-nginx, a rewrite makes regular expressions of paths.
    pub(super) fn of(PathSettings { use_regex, rewrite_target, .. }: &PathSettings, rules: &[IngressRule]) -> Self {
        let paths = rules.iter().flat_map(|rule| &rule.http).flat_map(|http| &http.paths);
        let is_rewritten =
            rewrite_target.as_ref().is_some_and(|target| paths.into_iter().any(|path| text(path) != target));
        if *use_regex == Some(true) || is_rewritten { Self::Regex } else { Self::Literal }
    }
}

/// The text of a path. None is `/`.
pub(super) fn text(path: &HTTPIngressPath) -> &str {
    path.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/")
}

/// Reads the paths of one Ingress.
pub(super) struct PathReader<'a> {
    pub(super) owner: &'a ObjectRef,
    pub(super) syntax: PathSyntax,
    pub(super) recent: &'a mut RecentSettings,
    pub(super) reports: &'a mut Reports,
}

impl PathReader<'_> {
    /// Reads one path. `None`: it is not served, which was reported.
    pub(super) fn read(&mut self, field: BackendField, path: &HTTPIngressPath) -> Option<PathMatch> {
        let text = text(path);
        match (path.path_type.as_str(), self.syntax) {
            ("Exact", _) => self.literal(field, text, PathMatch::exact),
            ("Prefix" | "ImplementationSpecific", PathSyntax::Regex) => self.regex(field, text),
            ("Prefix", PathSyntax::Literal) => self.literal(field, text, PathMatch::prefix),
            ("ImplementationSpecific", PathSyntax::Literal) => self.implementation_specific(field, text),
            (other, _) => {
                self.reports.error(
                    self.owner,
                    format!("{field}.pathType"),
                    Reason::InvalidValue,
                    format!("{other:?} is no path type, so the path is not served"),
                    "write Exact, Prefix or ImplementationSpecific",
                );
                None
            }
        }
    }

    /// Reads an `ImplementationSpecific` path as `Prefix`, which the Ingress API permits.
    fn implementation_specific(&mut self, field: BackendField, text: &str) -> Option<PathMatch> {
        // `/*` at the end means the elements below, as in AGIC and GKE.
        let below = text.strip_suffix("/*");
        let prefix = below.map_or(text, |parent| if parent.is_empty() { "/" } else { parent });
        if let Some(parent) = below.filter(|parent| !parent.is_empty()) {
            self.reports.warning(
                self.owner,
                format!("{field}.path"),
                Reason::Unsupported,
                format!(
                    "ImplementationSpecific {text:?} is read as Prefix {parent:?}, which takes {parent} itself too"
                ),
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
        self.literal(field, prefix, PathMatch::prefix)
    }

    fn regex(&mut self, field: BackendField, text: &str) -> Option<PathMatch> {
        if !text.starts_with('/') {
            self.refuse(field, format!("{text:?} is not served, for a path begins with '/'"), "correct the path");
            return None;
        }
        match self.recent.share_regex(text) {
            Ok(regex) => Some(PathMatch::Regex(regex)),
            Err(error) => {
                let message = format!("{text:?} is no regular expression, so the path is not served: {error}");
                let remedy = match error {
                    PatternError::LookAround(..) | PatternError::BackReference(..) => {
                        "write it without, as several paths: the longest one goes first"
                    }
                    PatternError::Syntax(..) | PatternError::TooLarge => error.remedy(),
                };
                self.refuse(field, message, remedy);
                None
            }
        }
    }

    fn literal(
        &mut self,
        field: BackendField,
        text: &str,
        read: fn(&str) -> Result<PathMatch, PathMatchError>,
    ) -> Option<PathMatch> {
        let refuse = |error| {
            let message = format!("{text:?} is not a path, so it is not served: {error}");
            self.refuse(field, message, "correct the path");
        };
        read(text).map_err(refuse).ok()
    }

    fn refuse(&mut self, field: BackendField, message: String, remedy: &str) {
        self.reports.error(self.owner, format!("{field}.path"), Reason::InvalidValue, message, remedy);
    }
}
