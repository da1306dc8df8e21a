//! The annotations of Ingresses and IngressClasses: three families with one table each, which are read into one typed
//! result.
//!
//! Annotations are only read here: a value that can't be read is an [`AnnotationProblem`] and leaves the
//! setting as it was. What a setting does is up to `translate`.

mod affinity;
mod agic;
mod nginx;
mod own;
mod settings;

use std::collections::BTreeMap;

use super::session::{SESSION_SETTINGS, SessionSetting};
use super::value::AllowedValues;

pub use affinity::{AffinityBy, AffinitySettings, SameSiteSetting, SessionCookie};
pub use settings::{AnnotationSettings, BackendProtocol, ProbeSettings, SslRedirect};

/// One annotation: a row of the reference page, and the reader of its value.
#[derive(Debug, Clone, Copy)]
pub struct Annotation {
    /// The key without the prefix of the family: `ssl-redirect`.
    pub key: &'static str,
    /// Values that it takes.
    pub values: AllowedValues,
    /// What stands where it is not written; empty where there is no default.
    pub default: &'static str,
    /// What it does; for one that is not supported: what to do instead, if anything.
    pub meaning: &'static str,
    /// The reader. `None`: the annotation is known and not supported by this version.
    read: Option<Read>,
}

/// Reads one value into the settings.
type Read = fn(&mut AnnotationSettings, &str) -> Result<(), AnnotationProblemKind>;

impl Annotation {
    /// Whether this version supports the annotation.
    pub fn supported(&self) -> bool {
        self.read.is_some()
    }
}

/// A family of annotations.
#[derive(Debug, Clone, Copy)]
pub struct AnnotationFamily {
    /// The prefix of its keys, with the slash.
    pub prefix: &'static str,
    /// Its annotations.
    pub entries: &'static [Annotation],
    /// Settings of WebSocket sessions that it has too.
    pub session_settings: &'static [SessionSetting],
}

impl AnnotationFamily {
    /// The keys of all its annotations, without the prefix.
    fn keys(&self) -> impl Iterator<Item = &'static str> {
        let settings = self.session_settings.iter().map(|setting| setting.annotation);
        self.entries.iter().map(|entry| entry.key).chain(settings)
    }
}

/// All families, in the order in which they are read. Of two annotations for one setting, that of the later family has
/// precedence.
pub const FAMILIES: &[AnnotationFamily] = &[
    AnnotationFamily { prefix: "nginx.ingress.kubernetes.io/", entries: nginx::ENTRIES, session_settings: &[] },
    AnnotationFamily { prefix: "appgw.ingress.kubernetes.io/", entries: agic::ENTRIES, session_settings: &[] },
    AnnotationFamily { prefix: "steadygate.io/", entries: own::ENTRIES, session_settings: SESSION_SETTINGS },
];

/// An annotation that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnotationProblem {
    /// Its key, with the prefix.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What is wrong.
    pub kind: AnnotationProblemKind,
}

/// Why an annotation has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnnotationProblemKind {
    /// The value can't be read. Contains what was expected.
    Invalid(String),
    /// The annotation is known and not supported by this version. Contains what to do instead; empty where there is
    /// nothing.
    Unsupported(&'static str),
    /// The annotation is supported, and this value of it is not. Contains what to do instead.
    UnsupportedValue(&'static str),
    /// No annotation of the family has this key. Contains the key that is spelled most like it, if one is close.
    Unknown(Option<&'static str>),
}

impl From<String> for AnnotationProblemKind {
    fn from(expected: String) -> Self {
        Self::Invalid(expected)
    }
}

impl AnnotationSettings {
    /// Reads all annotations of the families. Settings that no annotation has stay as they were, so that the
    /// annotations of a class can be read first, as defaults.
    pub fn read(&mut self, annotations: &BTreeMap<String, String>) -> Vec<AnnotationProblem> {
        let mut problems = Vec::new();
        for family in FAMILIES {
            for (key, value) in annotations {
                let Some(short) = key.strip_prefix(family.prefix) else { continue };
                if let Err(kind) = self.read_one(family, short, value) {
                    problems.push(AnnotationProblem { key: key.clone(), value: value.clone(), kind });
                }
            }
        }
        problems
    }

    fn read_one(&mut self, family: &AnnotationFamily, key: &str, value: &str) -> Result<(), AnnotationProblemKind> {
        if let Some(setting) = family.session_settings.iter().find(|setting| setting.annotation == key) {
            return (setting.read)(&mut self.session, value).map_err(AnnotationProblemKind::Invalid);
        }
        let Some(entry) = family.entries.iter().find(|entry| entry.key == key) else {
            return Err(AnnotationProblemKind::Unknown(nearest(family, key)));
        };
        let Some(read) = entry.read else {
            return Err(AnnotationProblemKind::Unsupported(entry.meaning));
        };
        read(self, value)
    }
}

/// The longest key that a spelling is suggested for. No valid key is longer (Kubernetes: 63 characters after the
/// prefix).
const MAX_KEY_BYTES: usize = 63;

/// The key of the family that is spelled most like `key`: at most two letters are added, removed or replaced.
fn nearest(family: &AnnotationFamily, key: &str) -> Option<&'static str> {
    if key.len() > MAX_KEY_BYTES {
        return None;
    }
    let distances = family.keys().map(|own| (strsim::levenshtein(own, key), own));
    distances.filter(|(distance, _)| *distance <= 2).min().map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(annotations: &[(&str, &str)]) -> (AnnotationSettings, Vec<AnnotationProblem>) {
        let map = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut settings = AnnotationSettings::default();
        let problems = settings.read(&map);
        (settings, problems)
    }

    #[test]
    fn our_own_family_has_the_last_word() {
        let (settings, problems) = read(&[
            ("steadygate.io/ssl-redirect", "false"),
            ("appgw.ingress.kubernetes.io/ssl-redirect", "true"),
            ("nginx.ingress.kubernetes.io/ssl-redirect", "true"),
        ]);
        assert_eq!(settings.redirect, Some(SslRedirect::Off));
        assert_eq!(problems, []);
    }

    #[test]
    fn nothing_is_dropped_in_silence() {
        let (settings, problems) = read(&[
            ("appgw.ingress.kubernetes.io/request-timeout", "soon"),
            ("appgw.ingress.kubernetes.io/request-timout", "20"),
            ("nginx.ingress.kubernetes.io/configuration-snippet", "return 200;"),
            ("nginx.ingress.kubernetes.io/no-such-thing-at-all", "1"),
            ("example.com/other", "1"),
        ]);
        assert_eq!(settings, AnnotationSettings::default());
        let kinds: Vec<_> = problems.iter().map(|problem| &problem.kind).collect();
        assert!(
            matches!(
                kinds[..],
                [
                    AnnotationProblemKind::Unsupported(_),
                    AnnotationProblemKind::Unknown(None),
                    AnnotationProblemKind::Invalid(_),
                    AnnotationProblemKind::Unknown(Some("request-timeout"))
                ]
            ),
            "{kinds:?}"
        );
    }

    #[test]
    fn each_key_stands_once_in_its_table() {
        for family in FAMILIES {
            let mut keys: Vec<_> = family.keys().collect();
            keys.sort_unstable();
            let count = keys.len();
            keys.dedup();
            assert_eq!(keys.len(), count, "{}", family.prefix);
        }
    }
}
