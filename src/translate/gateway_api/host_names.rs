//! Host names of Gateway API: an exact one, `*.example.com` with any number of labels, or all. Which of them lie within which
//! (HTTPRouteSpec.hostnames).

use crate::model::HostPattern;

/// The hosts that both match. `None`: there is none.
pub(super) fn intersection(one: &HostPattern, other: &HostPattern) -> Option<HostPattern> {
    if is_within(one, other) { Some(one.clone()) } else { is_within(other, one).then(|| other.clone()) }
}

/// Whether every host that `narrow` matches is one that `wide` matches.
pub(super) fn is_within(narrow: &HostPattern, wide: &HostPattern) -> bool {
    match (narrow, wide) {
        (_, HostPattern::Any) => true,
        (HostPattern::Exact(name), wide) => wide.matches(name),
        (HostPattern::Glob(narrow), HostPattern::Glob(wide)) => {
            narrow.strip_prefix('*').zip(wide.strip_prefix('*')).is_some_and(|(narrow, wide)| narrow.ends_with(wide))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_of_two_hosts_is_what_they_share() {
        // The table of HTTPRouteSpec.hostnames.
        let host = |text: &str| HostPattern::any_labels(text).expect("a host");
        for (one, other, expected) in [
            ("", "a.example", Some("a.example")),
            ("", "", Some("*")),
            ("*.example", "a.example", Some("a.example")),
            ("*.example", "b.a.example", Some("b.a.example")),
            ("*.example", "*.a.example", Some("*.a.example")),
            ("*.example", "example", None),
            ("*.example", "*.xexample", None),
            ("a.example", "b.example", None),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                let shared = intersection(&host(one), &host(other)).map(|host| host.to_string());
                assert_eq!(shared.as_deref(), expected, "{one:?} {other:?}");
            }
        }
    }
}
