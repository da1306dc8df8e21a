//! Annotations that guard: passwords, external authorisation, lists of addresses, client certificates. This version sets up none
//! of them. What asks for one must not be open to everybody instead, so it answers 503.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{AnnotationFamily, AnnotationProblemKind, AnnotationSettings, snippet};
use crate::api::read;

/// An annotation that guards.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    /// The key without the prefix of the family: `auth-url`.
    pub key: &'static str,
    /// What to do instead.
    pub remedy: &'static str,
    /// Values that ask for nothing, in words, for the reference page.
    pub satisfied_by: &'static str,
    asks: fn(&GuardInput<'_>) -> bool,
}

/// What decides whether an annotation guards anything.
pub(super) struct GuardInput<'a> {
    /// Its value, without the spaces around it. It is never empty: an empty value is none.
    value: &'a str,
    family: &'a AnnotationFamily,
    annotations: &'a BTreeMap<String, String>,
    settings: &'a AnnotationSettings,
}

impl Guard {
    /// Whether a value asks for access control.
    pub(super) fn asks(
        &self,
        family: &AnnotationFamily,
        annotations: &BTreeMap<String, String>,
        value: &str,
        settings: &AnnotationSettings,
    ) -> bool {
        let value = value.trim();
        !value.is_empty() && (self.asks)(&GuardInput { value, family, annotations, settings })
    }

    pub(super) const fn always(key: &'static str, remedy: &'static str) -> Self {
        Self { key, remedy, satisfied_by: "", asks: |_| true }
    }

    /// A list of addresses to which access is restricted.
    pub(super) const fn allow_list(key: &'static str) -> Self {
        Self { key, remedy: ADDRESSES, satisfied_by: "`0.0.0.0/0`", asks: |input| !is_everybody(input.value) }
    }

    pub(super) const fn snippet(key: &'static str) -> Self {
        Self {
            key,
            remedy: SNIPPET,
            satisfied_by: "a snippet that denies nothing",
            asks: |input| input.settings.ignore_snippets != Some(true) && snippet::guards(input.value),
        }
    }
}

impl GuardInput<'_> {
    /// Whether verification of client certificates is turned off.
    fn verifies_no_client(&self) -> bool {
        let key = format!("{}auth-tls-verify-client", self.family.prefix);
        self.annotations.get(&key).is_some_and(|value| value.trim() == "off")
    }
}

/// Reads a list of client addresses. An empty one is none. One that can't be read closes what it guards.
pub(super) fn addresses(
    settings: &mut AnnotationSettings,
    text: &str,
) -> Result<Option<Vec<IpNet>>, AnnotationProblemKind> {
    let read = read::addresses(text).map_err(AnnotationProblemKind::InvalidGuard);
    settings.is_closed |= read.is_err();
    Ok(read?).map(|list| (!list.is_empty()).then_some(list))
}

/// Whether a list of addresses has everybody in it. `0.0.0.0/0` alone is meant so by those who write it. A list with an entry that
/// can't be read is never satisfied.
fn is_everybody(list: &str) -> bool {
    let mut has_everybody = false;
    for entry in read::list(list) {
        match (entry.parse::<IpNet>(), entry.parse::<std::net::IpAddr>()) {
            (Ok(IpNet::V4(net)), _) => has_everybody |= net.prefix_len() == 0,
            (Ok(IpNet::V6(_)), _) | (_, Ok(_)) => {}
            (Err(_), Err(_)) => return false,
        }
    }
    has_everybody
}

pub(super) const PASSWORDS: &str = "let the backend ask for passwords, or put a proxy that does before it, and then remove \
                                    the annotation";
pub(super) const AUTHORISATION: &str = "let the backend decide, or put a proxy that asks for authorisation before it, and \
                                        then remove the annotation";
pub(super) const ADDRESSES: &str =
    "restrict addresses with a NetworkPolicy or a firewall, and then remove the annotation";
pub(super) const CERTIFICATES: &str = "let the backend verify client certificates, and then remove the annotation";
const SNIPPET: &str = "guard the backend otherwise, and then remove the snippet, or annotate steadygate.io/ignore-snippets: \
                       \"true\"";

/// Those of ingress-nginx.
pub(super) const NGINX: &[Guard] = &[
    Guard::always("auth-type", PASSWORDS),
    Guard::always("auth-secret", PASSWORDS),
    Guard::always("auth-url", AUTHORISATION),
    Guard::always("auth-signin", AUTHORISATION),
    Guard {
        key: "enable-global-auth",
        remedy: AUTHORISATION,
        satisfied_by: "`false`",
        asks: |input| read::boolean(input.value) != Ok(false),
    },
    Guard {
        key: "auth-tls-secret",
        remedy: CERTIFICATES,
        satisfied_by: "any, beside `auth-tls-verify-client: \"off\"`",
        asks: |input| !input.verifies_no_client(),
    },
    Guard {
        key: "auth-tls-verify-client",
        remedy: CERTIFICATES,
        satisfied_by: "`off`",
        asks: |input| !input.verifies_no_client(),
    },
    Guard {
        key: "auth-tls-match-cn",
        remedy: CERTIFICATES,
        satisfied_by: "any, beside `auth-tls-verify-client: \"off\"`",
        asks: |input| !input.verifies_no_client(),
    },
    Guard::always("satisfy", "remove it together with the annotations that it combines"),
    Guard::snippet("configuration-snippet"),
    Guard::snippet("server-snippet"),
    Guard::snippet("auth-snippet"),
    Guard::snippet("stream-snippet"),
    Guard {
        key: "modsecurity-snippet",
        remedy: SNIPPET,
        satisfied_by: "rules that refuse nothing",
        asks: |input| input.settings.ignore_snippets != Some(true) && snippet::refuses_by_rules(input.value),
    },
];

/// Those of AGIC.
pub(super) const AGIC: &[Guard] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_everybody_only_if_all_of_ipv4_is_in_it() {
        for (list, everybody) in [
            ("0.0.0.0/0", true),
            ("0.0.0.0/0,::/0", true),
            (" ::/0 , 0.0.0.0/0 ,", true),
            ("10.0.0.0/8,0.0.0.0/0", true),
            ("::/0", false),
            ("10.0.0.0/8", false),
            ("0.0.0.0", false),
            ("0.0.0.0/0,office", false),
            (",", false),
        ] {
            assert_eq!(is_everybody(list), everybody, "{list:?}");
        }
    }

    #[test]
    fn what_guards_closes_unless_it_asks_for_nothing() {
        let prefix = "nginx.ingress.kubernetes.io/";
        for (annotations, closed) in [
            (&[("auth-type", "basic")][..], true),
            (&[("auth-type", " ")], false),
            (&[("auth-realm", "x")], false),
            (&[("enable-global-auth", "false")], false),
            (&[("enable-global-auth", "true")], true),
            (&[("auth-tls-secret", "default/ca")], true),
            (&[("auth-tls-secret", "default/ca"), ("auth-tls-verify-client", "off")], false),
            (&[("auth-tls-secret", "default/ca"), ("auth-tls-verify-client", "optional")], true),
            (&[("whitelist-source-range", "0.0.0.0/0,::/0")], false),
            (&[("whitelist-source-range", "10.0.0.0/8")], false),
            (&[("denylist-source-range", "10.0.0.0/8, office")], true),
            (&[("configuration-snippet", "deny all;")], true),
            (&[("configuration-snippet", "server_tokens off;")], false),
        ] {
            let map = annotations.iter().map(|(key, value)| (format!("{prefix}{key}"), (*value).to_owned())).collect();
            let mut settings = AnnotationSettings::default();
            settings.read(&map);
            assert_eq!(settings.is_closed, closed, "{annotations:?}");
            let ignored = [("steadygate.io/ignore-snippets".to_owned(), "true".to_owned())];
            let mut settings = AnnotationSettings::default();
            settings.read(&map.into_iter().chain(ignored).collect());
            assert_eq!(settings.is_closed, closed && annotations[0].0 != "configuration-snippet", "{annotations:?}");
        }
    }
}
