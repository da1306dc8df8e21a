//! Canaries, step by step as Argo Rollouts and Flagger take them: no step closes a session.

use std::sync::atomic::Ordering;

use crate::gateway::{Backend, Gateway, echo, ingress, service};

fn canary(annotations: &[(&str, &str)]) -> String {
    let key = |key: &str| format!("nginx.ingress.kubernetes.io/{key}");
    let annotations: Vec<(String, &str)> =
        [("canary", "true")].iter().chain(annotations).map(|(name, value)| (key(name), *value)).collect();
    let annotations: Vec<(&str, &str)> = annotations.iter().map(|(key, value)| (&**key, *value)).collect();
    ingress("web-web-canary", "site.example", &annotations, &[("/", "canary")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_moves_requests_and_closes_no_session() {
    let (stable, new) = (Backend::start("stable").await, Backend::start("canary").await);
    let gateway = Gateway::start(&[
        ("stable.yaml", &service("stable", &[(stable.address, true)])),
        ("new.yaml", &service("canary", &[(new.address, true)])),
        ("web.yaml", &ingress("web", "site.example", &[], &[("/", "stable")])),
    ])
    .await;
    let mut first = gateway.session("site.example", "/chat").await;
    assert_eq!(stable.requests.load(Ordering::Relaxed), 1);

    // Argo Rollouts begins with a weight of 0, and Flagger with a header as well.
    gateway.edit("canary.yaml", &canary(&[("canary-weight", "0")])).await;
    assert_eq!(gateway.get("site.example", "/").await.body, "stable /");
    gateway.edit("canary.yaml", &canary(&[("canary-weight", "100")])).await;
    assert_eq!(gateway.get("site.example", "/").await.body, "canary /");
    let mut second = gateway.session("site.example", "/chat").await;
    assert_eq!(new.requests.load(Ordering::Relaxed), 2, "the request and the handshake");

    for step in [
        &[("canary-weight", "20")][..],
        &[("canary-weight", "1"), ("canary-weight-total", "1000")],
        &[("canary-by-header", "x-canary"), ("canary-by-header-value", "insider"), ("canary-weight", "50")],
        &[("canary-weight", "0")],
    ] {
        gateway.edit("canary.yaml", &canary(step)).await;
        assert_eq!(echo(&mut first, "stable").await, "stable", "{step:?}");
        assert_eq!(echo(&mut second, "canary").await, "canary", "{step:?}");
    }
    assert_eq!(gateway.get("site.example", "/").await.body, "stable /");

    // It is promoted: the object goes.
    gateway.edit("canary.yaml", "").await;
    assert_eq!(echo(&mut first, "stable").await, "stable");
    assert_eq!(echo(&mut second, "canary").await, "canary");
    assert_eq!(gateway.get("site.example", "/").await.body, "stable /");
}
