//! Edits under live sessions and requests: an edit touches only what it is about.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use http::StatusCode;

use crate::gateway::{Backend, Gateway, PATIENCE, Session, echo, eventually, get, ingress, service};

const SWAPS: usize = 1_000;
const SESSIONS: usize = 500;

/// A little more than the grace in which a removed route may come back.
const ROUTE_GRACE: Duration = Duration::from_millis(5_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_swaps_cut_no_session_fail_no_request_and_leak_no_table() {
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    let site = |path: &str| ingress("other", "other.example", &[], &[(path, "two")]);
    let gateway = Gateway::start(&[
        (
            "services.yaml",
            &[service("one", &[(one.address, true)]), service("two", &[(two.address, true)])].join("---\n"),
        ),
        ("site.yaml", &ingress("site", "site.example", &[], &[("/", "one")])),
        ("other.yaml", &site("/0")),
    ])
    .await;
    let address = gateway.address(80);
    let mut sessions: Vec<Session> = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(gateway.session("site.example", "/chat").await);
    }

    let stop = Arc::new(AtomicBool::new(false));
    let (served, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut clients = Vec::new();
    for _ in 0..2 {
        let (stop, served, failed) = (Arc::clone(&stop), Arc::clone(&served), Arc::clone(&failed));
        clients.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let answer = get(address, "site.example", "/x").await;
                let good = answer.status == StatusCode::OK && answer.body == "one /x";
                if good { &served } else { &failed }.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    // A handful of sessions talk all the while; the others are asked at the end.
    for session in sessions.drain(..10).collect::<Vec<_>>() {
        let (stop, served, failed) = (Arc::clone(&stop), Arc::clone(&served), Arc::clone(&failed));
        clients.push(tokio::spawn(talk(session, stop, served, failed)));
    }

    let mut tables = Vec::new();
    let mut warm = 0;
    for swap in 1..=SWAPS {
        gateway.edit("other.yaml", &site(&format!("/{swap}"))).await;
        tables.push(Arc::downgrade(&gateway.app.table.load()));
        if swap == SWAPS / 10 {
            warm = resident_kib();
        }
    }
    let grown = resident_kib().saturating_sub(warm);
    assert_eq!(gateway.get("other.example", &format!("/{SWAPS}")).await.body, format!("two /{SWAPS}"));
    assert_eq!(gateway.get("other.example", "/1").await.status, StatusCode::NOT_FOUND);

    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client fails");
    }
    for (number, session) in sessions.iter_mut().enumerate() {
        assert_eq!(echo(session, &number.to_string()).await, number.to_string());
    }
    assert_eq!(gateway.app.sessions.count(), sessions.len());
    assert_eq!(failed.load(Ordering::Relaxed), 0);
    assert!(served.load(Ordering::Relaxed) > SWAPS, "the clients were busy: {served:?}");
    assert_eq!(gateway.app.published.borrow().swaps, SWAPS as u64 + 1);
    // The newest alone is held; a reader may keep the one before it until its next look.
    let alive = tables.iter().filter(|table| table.upgrade().is_some()).count();
    assert!(alive <= 3, "{alive} tables are still held");
    assert!(grown < 6 * 1024, "resident memory grew by {grown} KiB over {} swaps", SWAPS * 9 / 10);
}

async fn talk(mut session: Session, stop: Arc<AtomicBool>, served: Arc<AtomicUsize>, failed: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let good = echo(&mut session, "still here").await == "still here";
        if good { &served } else { &failed }.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    session.close(None).await.expect("closes");
    while let Some(Ok(_)) = session.next().await {}
}

/// Resident memory of this process, which holds the gateway, the backends and the clients.
fn resident_kib() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_closes_with_its_route_and_endpoint_changes_swap_no_table() {
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    let gateway = Gateway::start(&[
        ("service.yaml", &service("web", &[(one.address, true)])),
        ("site.yaml", &ingress("site", "site.example", &[], &[("/", "web")])),
    ])
    .await;
    let mut session = gateway.session("site.example", "/").await;
    let swaps = gateway.app.published.borrow().swaps;
    gateway.edit("service.yaml", &service("web", &[(one.address, false), (two.address, true)])).await;
    eventually("requests go to the pod that is ready", async || {
        gateway.get("site.example", "/x").await.body == "two /x"
    })
    .await;
    assert_eq!(gateway.app.published.borrow().swaps, swaps, "membership is not a matter of the table");
    assert_eq!(echo(&mut session, "on the old pod").await, "on the old pod");
    gateway.edit("site.yaml", &ingress("site", "new.example", &[], &[("/", "web")])).await;
    assert_eq!(gateway.get("site.example", "/").await.status, StatusCode::NOT_FOUND);
    assert_eq!(echo(&mut session, "on no route").await, "on no route", "it may come back");
    gateway.edit("site.yaml", &ingress("site", "site.example", &[], &[("/", "web")])).await;
    tokio::time::sleep(ROUTE_GRACE).await;
    assert_eq!(echo(&mut session, "on the route that came back").await, "on the route that came back");
    gateway.edit("site.yaml", &ingress("site", "new.example", &[], &[("/", "web")])).await;
    let close = tokio::time::timeout(PATIENCE, session.next()).await.expect("in time").expect("open").expect("a Close");
    assert_eq!(close.into_text().expect("text").as_str(), "route removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_is_served_within_a_tenth_of_a_second() {
    let one = Backend::start("one").await;
    let gateway = Gateway::start(&[
        ("service.yaml", &service("web", &[(one.address, true)])),
        ("site.yaml", &ingress("site", "site.example", &[], &[("/0", "web")])),
    ])
    .await;
    let mut took = Vec::new();
    for edit in 1..=21 {
        let path = format!("/{edit}");
        let began = Instant::now();
        gateway.write("site.yaml", &ingress("site", "site.example", &[], &[(&path, "web")]));
        eventually("the edit is served", async || gateway.get("site.example", &path).await.status == StatusCode::OK)
            .await;
        took.push(began.elapsed());
    }
    took.sort();
    assert!(took[10] < Duration::from_millis(100), "median of 21 edits: {:?}", took[10]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_is_not_restarted_by_what_is_not_about_it() {
    let one = Backend::start("one").await;
    let services = service("web", &[(one.address, true)]);
    let site = ingress("site", "site.example", &[], &[("/", "web")]);
    let gateway = Gateway::start(&[("service.yaml", &services), ("site.yaml", &site)]).await;
    let before = gateway.address(80);
    let gateway_object = "apiVersion: steadygate.io/v1alpha1\nkind: ApplicationGateway\nmetadata: {name: g, namespace: default}\n\
        spec:\n  frontendPorts: [{name: p, port: 8081}]\n  httpListeners: [{name: l, frontendPort: {name: p}, protocol: Http}]\n\
        \x20 backendAddressPools: [{name: b, serviceRef: {name: web}}]\n\
        \x20 backendHttpSettingsCollection: [{name: s, port: 80, protocol: Http}]\n\
        \x20 requestRoutingRules: [{name: r, ruleType: Basic, priority: 1, httpListener: {name: l}, backendAddressPool: {name: b}, backendHttpSettings: {name: s}}]\n";
    gateway.edit("gateway.yaml", gateway_object).await;
    eventually("the new port opens", async || gateway.app.addresses.borrow().contains_key(&8081)).await;
    assert_eq!(gateway.address(80), before);
    eventually("the new port serves", async || get(gateway.address(8081), "any.example", "/y").await.body == "one /y")
        .await;
    std::fs::remove_file(gateway.dir.path().join("gateway.yaml")).expect("removed");
    eventually("the port closes", async || !gateway.app.addresses.borrow().contains_key(&8081)).await;
    assert_eq!(gateway.address(80), before);
    assert_eq!(gateway.get("site.example", "/").await.status, StatusCode::OK);
}
