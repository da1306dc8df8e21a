//! The annotations of Ingresses and IngressClasses: a table for each family, all of them read into one typed result.
//!
//! Annotations are only read here: a value that can't be read is an [`AnnotationProblem`] and leaves the
//! setting as it was. What a setting does is up to `translate`.

mod affinity;
mod agic;
mod canary;
mod cors;
mod foreign;
mod guard;
mod kubernetes;
mod limits;
mod nginx;
mod own;
mod paths;
mod redirects;
mod settings;
mod snippet;
mod token;

use std::collections::BTreeMap;

use super::session::{SESSION_SETTINGS, SessionSetting};
use super::value::AllowedValues;

pub use affinity::{AffinityBy, AffinitySettings, SameSiteSetting, SessionCookie};
pub use canary::CanarySettings;
pub use cors::CorsSettings;
pub use guard::Guard;
pub use limits::LimitSettings;
pub use paths::PathSettings;
pub use redirects::{RedirectSettings, SslRedirect};
pub use settings::{AgicSettings, AnnotationSettings, BackendProtocol, EncodedSlashesSetting, ProbeSettings};
pub use token::{ObjectValue, TokenSettings};

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
    /// Its annotations that guard, none of which is supported by this version. One that may or may not guard, such as a snippet,
    /// is among the entries too.
    pub guards: &'static [Guard],
    /// Whether an annotation with an empty value is none.
    pub ignores_empty: bool,
    /// Whether the tables have every key. Others are then reported; in a family of others they are not ours to judge.
    pub is_complete: bool,
}

impl AnnotationFamily {
    /// The keys of all its annotations, without the prefix.
    fn keys(&self) -> impl Iterator<Item = &'static str> {
        let settings = self.session_settings.iter().map(|setting| setting.annotation);
        let guards = self.guards.iter().map(|guard| guard.key).filter(|key| self.entry(key).is_none());
        self.entries.iter().map(|entry| entry.key).chain(settings).chain(guards)
    }

    fn entry(&self, key: &str) -> Option<&'static Annotation> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn guard(&self, key: &str) -> Option<&'static Guard> {
        self.guards.iter().find(|guard| guard.key == key)
    }

    /// The problem of an annotation of the table that is not supported.
    fn unsupported(&self, key: &str) -> AnnotationProblemKind {
        AnnotationProblemKind::Unsupported(self.entry(key).map_or("", |entry| entry.meaning))
    }

    /// A family of another controller, of which only what guards is read.
    const fn foreign(prefix: &'static str, guards: &'static [Guard]) -> Self {
        Self { prefix, entries: &[], session_settings: &[], guards, ignores_empty: false, is_complete: false }
    }
}

/// All families, in the order in which they are read. Of two annotations for one setting, that of the later family has
/// precedence.
pub const FAMILIES: &[AnnotationFamily] = &[
    AnnotationFamily {
        prefix: "nginx.ingress.kubernetes.io/",
        entries: nginx::ENTRIES,
        session_settings: &[],
        guards: guard::NGINX,
        ignores_empty: true,
        is_complete: true,
    },
    AnnotationFamily {
        prefix: "appgw.ingress.kubernetes.io/",
        entries: agic::ENTRIES,
        session_settings: &[],
        guards: guard::AGIC,
        ignores_empty: false,
        is_complete: true,
    },
    AnnotationFamily {
        prefix: "kubernetes.io/",
        entries: kubernetes::ENTRIES,
        session_settings: &[],
        guards: &[],
        ignores_empty: false,
        is_complete: false,
    },
    AnnotationFamily::foreign("alb.ingress.kubernetes.io/", foreign::ALB),
    AnnotationFamily::foreign("haproxy-ingress.github.io/", foreign::HAPROXY_INGRESS),
    AnnotationFamily::foreign("haproxy.org/", foreign::HAPROXY_TECHNOLOGIES),
    AnnotationFamily::foreign("ingress.kubernetes.io/", foreign::HAPROXY_INGRESS),
    AnnotationFamily::foreign("nginx.com/", foreign::NGINX_PLUS),
    AnnotationFamily::foreign("nginx.org/", foreign::NGINX_INC),
    AnnotationFamily::foreign("traefik.ingress.kubernetes.io/", foreign::TRAEFIK),
    AnnotationFamily {
        prefix: "steadygate.io/",
        entries: own::ENTRIES,
        session_settings: SESSION_SETTINGS,
        guards: &[],
        ignores_empty: false,
        is_complete: true,
    },
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
    /// The annotation asks for access control, and its value can't be read. Contains what was expected.
    InvalidGuard(String),
    /// The annotation asks for access control that this version does not have. Contains what to do instead.
    Guard(&'static str),
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
        // What guards is read last, since a setting may say that it does not matter.
        let mut problems = self.read_family_by_family(annotations, Self::read_setting);
        problems.extend(self.read_family_by_family(annotations, |settings, family, key, value| {
            settings.read_guard(family, annotations, key, value)
        }));
        if self.canary.enabled {
            // Nothing else of the Ingress matters: it is often a copy of the one that it is the canary of.
            problems.retain(|problem| problem.key.contains("/canary"));
            self.is_closed = false;
        }
        problems
    }

    fn read_family_by_family(
        &mut self,
        annotations: &BTreeMap<String, String>,
        read: impl Fn(&mut Self, &AnnotationFamily, &str, &str) -> Result<(), AnnotationProblemKind>,
    ) -> Vec<AnnotationProblem> {
        let mut problems = Vec::new();
        for family in FAMILIES {
            for (key, value) in annotations {
                let Some(short) = key.strip_prefix(family.prefix) else { continue };
                if let Err(kind) = read(self, family, short, value) {
                    problems.push(AnnotationProblem { key: key.clone(), value: value.clone(), kind });
                }
            }
        }
        problems
    }

    fn read_setting(&mut self, family: &AnnotationFamily, key: &str, value: &str) -> Result<(), AnnotationProblemKind> {
        if let Some(setting) = family.session_settings.iter().find(|setting| setting.annotation == key) {
            return (setting.read)(&mut self.session, value).map_err(AnnotationProblemKind::Invalid);
        }
        match family.entry(key).map(|entry| entry.read) {
            Some(_) if family.ignores_empty && value.trim().is_empty() => Ok(()),
            _ if family.guard(key).is_some() => Ok(()),
            Some(Some(read)) => read(self, value),
            Some(None) => Err(family.unsupported(key)),
            None if family.is_complete => Err(AnnotationProblemKind::Unknown(nearest(family, key))),
            None => Ok(()),
        }
    }

    /// Reads an annotation that guards. One that asks for nothing is satisfied, and is not reported.
    fn read_guard(
        &mut self,
        family: &AnnotationFamily,
        annotations: &BTreeMap<String, String>,
        key: &str,
        value: &str,
    ) -> Result<(), AnnotationProblemKind> {
        let Some(guard) = family.guard(key) else { return Ok(()) };
        if guard.asks(family, annotations, value, self) {
            self.is_closed = true;
            return Err(AnnotationProblemKind::Guard(guard.remedy));
        }
        if family.entry(key).is_some() { Err(family.unsupported(key)) } else { Ok(()) }
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
                    AnnotationProblemKind::Unknown(None),
                    AnnotationProblemKind::Invalid(_),
                    AnnotationProblemKind::Unknown(Some("request-timeout")),
                    AnnotationProblemKind::Unsupported(_),
                ]
            ),
            "{kinds:?}"
        );
    }

    #[test]
    fn the_26_annotations_of_agic_are_known() {
        let agic = FAMILIES.iter().find(|family| family.prefix == "appgw.ingress.kubernetes.io/");
        assert_eq!(agic.map(|family| family.keys().count()), Some(26));
    }

    #[test]
    fn the_138_annotations_of_ingress_nginx_are_known() {
        let family =
            FAMILIES.iter().find(|family| family.prefix == "nginx.ingress.kubernetes.io/").expect("the family");
        // Two are older names of others, and two have had no effect for years.
        let old = ["session-cookie-hash", "websocket-services"];
        assert_eq!(family.keys().filter(|key| !old.contains(key)).count(), 138);
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
