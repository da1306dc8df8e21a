//! What a listener does with a request.

use super::policies;
use super::refusals::Refusals;
use super::route::print_route;
use crate::model::{Action, MatchInput, Protocol, TlsMode};
use crate::table::{Explanation, ListenerTable, Target};

/// Prints what a listener does with the request; returns whether it would be served, and why.
pub(super) async fn explain_on(
    listener: &ListenerTable,
    port: u16,
    host: &str,
    input: MatchInput<'_>,
) -> (bool, Explanation) {
    let explanation = listener.explain(host, input);
    let tls = client_tls(listener, explanation.chosen.as_deref());
    let certificate = listener.certificate(Some(host)).filter(|_| tls == Some(TlsMode::Terminate));
    let shown = match (tls, certificate) {
        (None, _) => String::new(),
        (Some(TlsMode::Passthrough), _) => ", TLS is passed through".to_owned(),
        (Some(TlsMode::Terminate), Some(certificate)) => format!(", certificate of Secret {}", certificate.id),
        (Some(TlsMode::Terminate), None) => ", no certificate for this host: the TLS handshake would fail".to_owned(),
    };
    print_line!("listener   {port} {:?}{shown}", listener.protocol);
    if let Some(policy) = explanation.chosen.as_deref().and_then(|target| listener.tls_policy_asked_of(target)) {
        print_line!("{}", policies::tls(policy));
    }
    let refusals = Refusals::of(listener.protocol);
    let served = match &explanation.chosen {
        Some(target) => print_route(target, refusals, host, input).await,
        None => {
            print_line!("route      none: {}", refusals.name(404));
            false
        }
    };
    let reached = tls != Some(TlsMode::Terminate) || certificate.is_some();
    (served && reached, explanation)
}

/// What becomes of the TLS of a client whose route is `chosen`. `None`: it speaks none.
fn client_tls(listener: &ListenerTable, chosen: Option<&Target>) -> Option<TlsMode> {
    match (listener.protocol, chosen.map(|target| &target.route.action)) {
        (Protocol::Http | Protocol::Tcp, _) => None,
        (Protocol::Https, _) => Some(TlsMode::Terminate),
        (Protocol::Tls, Some(Action::Stream(stream))) => stream.tls,
        // The connection is refused before that.
        (Protocol::Tls, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use imbl::OrdMap;

    use super::*;
    use crate::model::{Host, HostPattern, Kind, Listener, Model, ObjectRef, PathMatch, Redirect, Route};
    use crate::table::compile;

    #[tokio::test]
    async fn without_a_certificate_nothing_is_served() {
        let route = Route {
            field: "spec.rules[0]".into(),
            owner: ObjectRef::new(Kind::Ingress, "default", "i").into(),
            matches: PathMatch::prefix("/").expect("a path").into(),
            action: Action::Redirect(Redirect::to_https(308, 443).into()),
            policies: None,
        };
        let host = Arc::new(Host { certificate: None, tls: None, routes: vec![route.into()] });
        for (protocol, expected) in [(Protocol::Http, true), (Protocol::Https, false)] {
            let hosts = OrdMap::unit(HostPattern::Any, host.clone());
            let listeners = BTreeMap::from([(443, Listener { protocol, hosts, default_certificate: None })]);
            let table = compile(&Model { listeners, ..Model::default() }, 1, &Default::default());
            let listener = table.listener(443).expect("a listener");
            let input = MatchInput::from_path("/");
            assert_eq!(explain_on(listener, 443, "a.example.com", input).await.0, expected, "{protocol:?}");
        }
    }
}
