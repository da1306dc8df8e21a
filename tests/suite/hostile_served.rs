//! The hostile directory in the real gateway: good objects are served throughout, each bad one is reported.

use http::StatusCode;

use crate::gateway::{Backend, Gateway, echo, eventually, ingress, service};
use crate::hostile::{REFUSED_LATER, directory};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_objects_are_served_throughout_and_each_bad_one_is_reported() {
    let one = Backend::start("one").await;
    let own = service("web", &[(one.address, true)]);
    let site = ingress("site", "site.example", &[], &[("/", "web")]);
    let class = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: steadygate\n  annotations:\n\
        \x20   ingressclass.kubernetes.io/is-default-class: \"true\"\nspec: {controller: steadygate.io/ingress-controller}\n";
    let gateway = Gateway::start(&[("0-class.yaml", class), ("0-service.yaml", &own), ("0-site.yaml", &site)]).await;
    let mut session = gateway.session("site.example", "/").await;
    assert_eq!(gateway.get("site.example", "/before").await.body, "one /before");

    // All of it comes while a session is open and requests are served.
    let hostile = directory();
    for entry in std::fs::read_dir(hostile.path()).expect("there") {
        let path = entry.expect("listed").path();
        let name = path.file_name().expect("named");
        std::fs::copy(&path, gateway.dir.path().join(name)).expect("copied");
        assert_eq!(gateway.get("site.example", "/during").await.status, StatusCode::OK, "after {name:?}");
    }
    let told = |name: &str, field: &str, reason| {
        let published = gateway.app.published.borrow();
        published.reports.iter().any(|report| {
            report.object.name() == name
                && field.starts_with(&report.field)
                && report.reason == reason
                && !report.remedy.is_empty()
        })
    };
    eventually("every bad one is named", async || {
        REFUSED_LATER.iter().all(|(name, field, reason)| told(name, field, *reason))
    })
    .await;
    assert_eq!(gateway.get("site.example", "/after").await.body, "one /after");
    assert_eq!(echo(&mut session, "through it all").await, "through it all");

    // An edit of a good one goes through, whatever stands beside it.
    gateway.write("0-site.yaml", &ingress("site", "new.example", &[], &[("/", "web")]));
    eventually("the edit is served", async || gateway.get("new.example", "/").await.status == StatusCode::OK).await;
    // A mistake in a file that was good leaves its last good version.
    gateway.write("0-site.yaml", "kind: Ingress\nspec: [");
    eventually("the mistake is told", async || {
        gateway.app.published.borrow().reports.iter().any(|report| report.object.name() == "0-site.yaml")
    })
    .await;
    assert_eq!(gateway.get("new.example", "/").await.status, StatusCode::OK);
}
