//! Host patterns: which request hosts a set of routes is for.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A pattern of request hosts, as a user wrote it, in lower case and without a port.
///
/// Its `Ord` is for the keys of maps. It is not the precedence, which is [`Self::precedence`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// `chat.example.com`: one host.
    Exact(Arc<str>),
    /// `*.example.com` of an Ingress: exactly one label in place of `*` (networking.k8s.io/v1, IngressRule.host). The text is
    /// `example.com`.
    SingleLabel(Arc<str>),
    /// `*` stands for any characters, also several labels, and `?` for one character, as in the `hostNames` of an
    /// ApplicationGateway. The text is the pattern.
    Glob(Arc<str>),
    /// Any host, and requests without a host.
    Any,
}

/// Why a text is not a host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostPatternError {
    /// Longer than 253 characters, or a label longer than 63.
    #[error("a host has at most 253 characters, and each label at most 63")]
    TooLong,
    /// A character that no host name has.
    #[error("{0:?} can't stand in a host name")]
    Character(char),
    /// An empty label, or one that starts or ends with `-`.
    #[error("each label must be non-empty and start and end with a letter or digit")]
    Label,
    /// An IP address.
    #[error("an IP address is not a host name")]
    IpAddress,
    /// A `*` anywhere but as the whole first label of an Ingress host.
    #[error("the wildcard must be the whole first label, as in *.example.com")]
    Wildcard,
}

/// The host of a request in the form that is compared: lower case, without the dot that may end a name.
pub fn normalise_host(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

impl HostPattern {
    /// Parses an Ingress host. `""` is any host; `*.` stands for one label.
    pub fn ingress(text: &str) -> Result<Self, HostPatternError> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        let text = text.to_ascii_lowercase();
        if let Some(rest) = text.strip_prefix("*.") {
            if rest.contains('*') {
                return Err(HostPatternError::Wildcard);
            }
            check_name(rest)?;
            return Ok(Self::SingleLabel(rest.into()));
        }
        if text.contains('*') {
            return Err(HostPatternError::Wildcard);
        }
        check_name(&text)?;
        Ok(Self::Exact(text.into()))
    }

    /// Parses a host name of an ApplicationGateway listener. `""` is any host; `*` and `?` may stand anywhere.
    pub fn gateway(text: &str) -> Result<Self, HostPatternError> {
        if text.is_empty() || text == "*" {
            return Ok(Self::Any);
        }
        let text = text.to_ascii_lowercase();
        if !text.contains(['*', '?']) {
            check_name(&text)?;
            return Ok(Self::Exact(text.into()));
        }
        check_name(&text.replace(['*', '?'], "x"))?;
        Ok(Self::Glob(text.into()))
    }

    /// Parses a host name of Gateway API (`Hostname`). `*.` stands for any number of labels, at least one.
    pub fn any_labels(text: &str) -> Result<Self, HostPatternError> {
        Ok(match Self::ingress(text)? {
            Self::SingleLabel(parent) => Self::Glob(format!("*.{parent}").into()),
            other => other,
        })
    }

    /// The host of the connections of a port that name none, since they speak neither HTTP nor TLS. No request can have it: `:5432`.
    pub fn of_port(port: u16) -> Self {
        Self::Exact(format!(":{port}").into())
    }

    /// Whether the pattern matches `host`, which is in lower case and without a port.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::SingleLabel(parent) => {
                host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && *rest == **parent)
            }
            Self::Glob(pattern) => glob(pattern.as_bytes(), host.as_bytes()),
            Self::Any => true,
        }
    }

    /// The number of literal characters of the pattern.
    pub(crate) fn literal_length(&self) -> usize {
        match self {
            Self::Exact(name) => name.len(),
            Self::SingleLabel(parent) => parent.len() + 1,
            Self::Glob(pattern) => pattern.bytes().filter(|b| !matches!(b, b'*' | b'?')).count(),
            Self::Any => 0,
        }
    }
}

/// Whether a text matches a pattern with `*` and `?`. Iterative: after a mismatch it goes back to the last `*` alone.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut restart: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                restart = Some((p, t));
                p += 1;
            }
            Some(&b) if b == b'?' || b == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match restart {
                Some((star, from)) => {
                    restart = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

fn check_name(name: &str) -> Result<(), HostPatternError> {
    if name.len() > 253 {
        return Err(HostPatternError::TooLong);
    }
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Err(HostPatternError::IpAddress);
    }
    for label in name.split('.') {
        if label.len() > 63 {
            return Err(HostPatternError::TooLong);
        }
        if let Some(c) = label.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
            return Err(HostPatternError::Character(c));
        }
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') {
            return Err(HostPatternError::Label);
        }
    }
    Ok(())
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) | Self::Glob(name) => f.write_str(name),
            Self::SingleLabel(parent) => write!(f, "*.{parent}"),
            Self::Any => f.write_str("*"),
        }
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ingress_wildcard_takes_exactly_one_label() {
        // The table of the Ingress documentation, "Hostname wildcards".
        let wildcard = HostPattern::ingress("*.foo.com").expect("valid");
        assert!(wildcard.matches("bar.foo.com"));
        assert!(!wildcard.matches("baz.bar.foo.com"));
        assert!(!wildcard.matches("foo.com"));
    }

    #[test]
    fn a_gateway_wildcard_spans_labels() {
        let star = HostPattern::gateway("*.foo.com").expect("valid");
        assert!(star.matches("baz.bar.foo.com"));
        assert!(!star.matches("foo.com"));
        let question = HostPattern::gateway("shop?.foo.com").expect("valid");
        assert!(question.matches("shop1.foo.com"));
        assert!(!question.matches("shop12.foo.com"));
    }

    #[test]
    fn a_wildcard_of_gateway_api_takes_any_number_of_labels() {
        let wildcard = HostPattern::any_labels("*.foo.com").expect("valid");
        assert!(["bar.foo.com", "baz.bar.foo.com"].iter().all(|host| wildcard.matches(host)));
        assert!(!wildcard.matches("foo.com"));
        assert!(HostPattern::any_labels("a*.foo.com").is_err() && HostPattern::any_labels("10.0.0.1").is_err());
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        for bad in ["1.2.3.4", "foo..com", "-a.com", "a b.com", "foo.*.com", "*foo.com", "*.*.com"] {
            assert!(HostPattern::ingress(bad).is_err(), "{bad}");
        }
        assert!(HostPattern::gateway("a b").is_err());
    }
}
