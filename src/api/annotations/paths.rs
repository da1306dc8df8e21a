//! Annotations for paths: regular expressions, and what backends get of a path.

use super::{Annotation, AnnotationProblemKind};
use crate::api::value::{AllowedValues, ValueKind};

/// How the paths of an Ingress are read, and what backends get of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathSettings {
    /// Whether paths that are not `Exact` are regular expressions.
    pub use_regex: Option<bool>,
    /// The path that backends get, with `$1` to `$9` for what the groups of the path have matched.
    pub rewrite_target: Option<String>,
    /// `X-Forwarded-Prefix` beside a rewritten path, with such groups.
    pub forwarded_prefix: Option<String>,
    /// The `Host` that backends get, with variables.
    pub host: Option<String>,
    /// The path to which requests for `/` are redirected.
    pub app_root: Option<String>,
}

/// The characters of paths that ingress-nginx takes in annotations.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/:$".contains(&byte))
}

pub(super) const USE_REGEX: Annotation = Annotation {
    key: "use-regex",
    values: bool::VALUES,
    default: "false; true beside a rewrite-target that is not the path itself",
    meaning: "Whether the paths of this Ingress are regular expressions, which match at the start of a path and in either case. Paths of \
              type Exact, and those of other Ingresses, stay as they are. The longest text goes first.",
    read: Some(|settings, text| {
        settings.paths.use_regex = Some(bool::from_text(text)?);
        Ok(())
    }),
};

pub(super) const REWRITE_TARGET: Annotation = Annotation {
    key: "rewrite-target",
    values: AllowedValues::Words("a path of letters, digits and -._~/:, with $1 to $9"),
    default: "",
    meaning: "The path that backends get, whatever the path of the request. `$1` to `$9` are what the groups of the rule's path have \
              matched. The query stays.",
    read: Some(|settings, text| {
        let text = text.trim();
        if text.contains("://") {
            let instead = "write a path; to send clients to another site, use permanent-redirect or temporal-redirect";
            return Err(AnnotationProblemKind::UnsupportedValue(instead));
        }
        settings.paths.rewrite_target = Some(target(text)?);
        Ok(())
    }),
};

pub(super) const FORWARDED_PREFIX: Annotation = Annotation {
    key: "x-forwarded-prefix",
    values: AllowedValues::Words("a path of letters, digits and -._~/:, with $1 to $9"),
    default: "that of the client",
    meaning: "`X-Forwarded-Prefix` for backends, where rewrite-target changes the path.",
    read: Some(|settings, text| {
        settings.paths.forwarded_prefix = Some(target(text.trim())?);
        Ok(())
    }),
};

pub(super) const APP_ROOT: Annotation = Annotation {
    key: "app-root",
    values: AllowedValues::Words("a path of letters, digits and -._~/:"),
    default: "",
    meaning: "Where requests for `/` are redirected (302), on the hosts of the Ingress as a whole.",
    read: Some(|settings, text| {
        let text = text.trim();
        if !text.starts_with('/') || !is_plain(text) || text.contains('$') {
            return Err("a path that begins with '/', of letters, digits and -._~/:".to_owned().into());
        }
        settings.paths.app_root = Some(text.to_owned());
        Ok(())
    }),
};

/// Reads a path with groups.
fn target(text: &str) -> Result<String, String> {
    let groups_are_numbers = text.split('$').skip(1).all(|rest| rest.starts_with(|c| matches!(c, '1'..='9')));
    if is_plain(text) && groups_are_numbers {
        return Ok(text.to_owned());
    }
    Err("a path of letters, digits and -._~/:, with $1 to $9 for the groups of the rule's path".to_owned())
}
