//! Hosts as claims compare them: which are one host, and which take others in.

use crate::model::HostPattern;

/// The form under which a host is claimed. `*.example.com` is one host, whether an Ingress writes it (one label in place
/// of `*`) or a gateway does (any number): were they two, the narrower would take requests of the wider in the table.
pub(in crate::translate) fn canonical(host: &HostPattern) -> HostPattern {
    let HostPattern::SingleLabel(parent) = host else { return host.clone() };
    HostPattern::Glob(format!("*.{parent}").into())
}

/// A host in the form that an Ingress gives it: the inverse of [`canonical`]. `None`: no Ingress can name this host.
fn ingress_form(host: &HostPattern) -> Option<HostPattern> {
    let HostPattern::Glob(text) = host else { return Some(host.clone()) };
    let parent = text.strip_prefix("*.").filter(|parent| !parent.contains(['*', '?']))?;
    Some(HostPattern::SingleLabel(parent.into()))
}

/// The forms of one host: as it is, and as the other language would write it, where that is another pattern.
pub(in crate::translate) fn equivalents(host: &HostPattern) -> impl Iterator<Item = HostPattern> {
    let other = [Some(canonical(host)), ingress_form(host)].into_iter().flatten().find(|other| other != host);
    std::iter::once(host.clone()).chain(other)
}

/// The wildcard hosts of Ingresses that cover `host`, in the order of their precedence: for `a.example.com` these are
/// `*.example.com` and any host.
pub(in crate::translate) fn wider(host: &HostPattern) -> impl Iterator<Item = HostPattern> {
    let parent = match host {
        HostPattern::Exact(name) => name.split_once('.').map(|(_, parent)| HostPattern::SingleLabel(parent.into())),
        _ => None,
    };
    parent.into_iter().chain((*host != HostPattern::Any).then_some(HostPattern::Any))
}

/// Whether every request host that `narrow` matches is one that `wide` matches.
pub(in crate::translate) fn covers(wide: &HostPattern, narrow: &HostPattern) -> bool {
    match (wide, narrow) {
        (HostPattern::Any, _) => true,
        (wide, HostPattern::Exact(name)) => wide.matches(name),
        // A label in place of `*` has no character that a name could not have.
        (HostPattern::Glob(_), HostPattern::SingleLabel(parent)) => {
            wide == narrow || wide.to_string() == format!("*.{parent}")
        }
        (wide, narrow) => wide == narrow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wider_hosts_of_ingresses_are_those_that_cover() {
        let ingress = |text| HostPattern::ingress(text).expect("valid");
        let all = ["", "*.example", "*.a.example", "b.a.example", "a.example"].map(ingress);
        for host in &all {
            let wider: Vec<_> = wider(host).collect();
            assert!(wider.is_sorted_by_key(HostPattern::precedence), "{wider:?}");
            for wide in all.iter().filter(|wide| *wide != host) {
                assert_eq!(covers(wide, host), wider.contains(wide), "{wide} {host}");
            }
        }
    }

    #[test]
    fn a_wide_host_covers_the_narrow_ones_within() {
        let ingress = |text| HostPattern::ingress(text).expect("valid");
        let gateway = |text| HostPattern::gateway(text).expect("valid");
        for (wide, narrow, expected) in [
            (ingress(""), ingress("*.a.example"), true),
            (ingress("*.a.example"), ingress("b.a.example"), true),
            (ingress("*.a.example"), ingress("c.b.a.example"), false),
            (ingress("*.a.example"), ingress(""), false),
            (ingress("b.a.example"), ingress("*.a.example"), false),
            (gateway("*.a.example"), ingress("*.a.example"), true),
            (gateway("*.a.example"), ingress("c.b.a.example"), true),
            (gateway("shop?.a.example"), ingress("*.a.example"), false),
        ] {
            assert_eq!(covers(&wide, &narrow), expected, "{wide} {narrow}");
        }
    }

    #[test]
    fn a_wildcard_is_one_host_in_every_language() {
        let ingress = HostPattern::ingress("*.a.example").expect("valid");
        let gateway = HostPattern::gateway("*.a.example").expect("valid");
        assert_eq!(equivalents(&ingress).collect::<Vec<_>>(), [ingress.clone(), gateway.clone()]);
        assert_eq!(equivalents(&gateway).collect::<Vec<_>>(), [gateway.clone(), ingress.clone()]);
        assert_eq!(canonical(&ingress), gateway);
        assert_eq!(ingress_form(&gateway), Some(ingress));
        assert_eq!(ingress_form(&HostPattern::gateway("shop?.a.example").expect("valid")), None);
    }
}
