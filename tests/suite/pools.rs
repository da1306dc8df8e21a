//! Which members take requests: by readiness and probe, at once when they are new. All pools with a member share its probe.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::gateway::{Backend, Gateway, PATIENCE, echo, eventually, ingress, service, session};
use crate::loopback_server::LoopbackServer;

const INTERVAL: (&str, &str) = ("appgw.ingress.kubernetes.io/health-probe-interval", "1");
const THRESHOLD: (&str, &str) = ("appgw.ingress.kubernetes.io/health-probe-unhealthy-threshold", "2");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_request_waits_for_the_first_probe_and_no_longer() {
    let one = Backend::start("one").await;
    let gateway = Gateway::start(&[
        ("service.yaml", &service("web", &[(one.address, true)])),
        ("site.yaml", &ingress("site", "site.example", &[], &[("/", "web")])),
    ])
    .await;
    // At once, with the default interval of 30 s before it.
    assert_eq!(gateway.get("site.example", "/first").await.body, "one /first");

    // One that accepts and never answers: a second, then 503.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = silent.local_addr().expect("bound");
    gateway.edit("service.yaml", &service("web", &[(address, true)])).await;
    let began = Instant::now();
    let answer = gateway.get("site.example", "/").await;
    assert_eq!((answer.status, answer.reason()), (StatusCode::SERVICE_UNAVAILABLE, Some("ProbePending")));
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert!(answer.body.contains("1 not yet probed"), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ready_member_that_fails_its_probe_gets_no_requests_and_no_sessions() {
    let one = Backend::start("one").await;
    let site = ingress("site", "site.example", &[INTERVAL, THRESHOLD], &[("/", "web")]);
    let gateway =
        Gateway::start(&[("service.yaml", &service("web", &[(one.address, true)])), ("site.yaml", &site)]).await;
    let mut open = gateway.session("site.example", "/").await;
    one.health.store(500, Ordering::Relaxed);
    eventually("two failures take it out", async || {
        gateway.get("site.example", "/").await.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let before = one.requests.load(Ordering::Relaxed);
    let answer = gateway.get("site.example", "/").await;
    assert_eq!(answer.reason(), Some("ProbeFailing"));
    assert!(answer.body.contains("1 failing the health probe"), "{}", answer.body);
    match session(gateway.address(80), "site.example", "/").await {
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()["x-steadygate-reason"], "ProbeFailing");
        }
        other => panic!("the handshake should be refused: {other:?}"),
    }
    assert_eq!(one.requests.load(Ordering::Relaxed), before, "nothing reached the member");
    assert_eq!(echo(&mut open, "the open session goes on").await, "the open session goes on");
    one.health.store(200, Ordering::Relaxed);
    eventually("one success heals", async || gateway.get("site.example", "/").await.status == StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_with_min_servers_takes_requests_and_sessions_while_its_probes_fail() {
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    let edge = |min_servers| {
        format!(
            "apiVersion: steadygate.io/v1alpha1\nkind: ApplicationGateway\nmetadata: {{name: edge, namespace: default}}\nspec:\n  \
             frontendPorts: [{{name: p, port: 80}}]\n  httpListeners: [{{name: l, frontendPort: {{name: p}}, protocol: Http}}]\n  \
             backendAddressPools: [{{name: web, serviceRef: {{name: web}}}}]\n  probes: [{{name: health, protocol: Http, path: /healthz, \
             interval: 1, unhealthyThreshold: 1, minServers: {min_servers}}}]\n  backendHttpSettingsCollection: [{{name: s, port: 80, \
             protocol: Http, probe: {{name: health}}}}]\n  requestRoutingRules: [{{name: r, ruleType: Basic, httpListener: {{name: l}}, \
             backendAddressPool: {{name: web}}, backendHttpSettings: {{name: s}}}}]\n"
        )
    };
    let members = service("web", &[(one.address, true), (two.address, true)]);
    let gateway = Gateway::start(&[("edge.yaml", &edge(1)), ("web.yaml", &members)]).await;
    let answers = async || {
        let mut answers = BTreeSet::new();
        for _ in 0..8 {
            answers.insert(gateway.get("site.example", "/").await.body);
        }
        answers
    };
    // One is enough, so the other is left out.
    one.health.store(500, Ordering::Relaxed);
    let only_two = BTreeSet::from(["two /".to_owned()]);
    eventually("the probe of one fails", async || answers().await == only_two).await;
    // With too few, the probes decide nothing.
    two.health.store(500, Ordering::Relaxed);
    let both = BTreeSet::from(["one /".to_owned(), "two /".to_owned()]);
    eventually("the probe of two fails too", async || answers().await == both).await;
    let mut open = gateway.session("site.example", "/").await;

    gateway.edit("edge.yaml", &edge(0)).await;
    assert_eq!(gateway.get("site.example", "/").await.reason(), Some("ProbeFailing"));
    gateway.edit("edge.yaml", &edge(2)).await;
    one.health.store(200, Ordering::Relaxed);
    let healed = one.probes.load(Ordering::Relaxed) + 2;
    eventually("one is probed", async || one.probes.load(Ordering::Relaxed) >= healed).await;
    assert_eq!(answers().await, both, "two have to count as up");
    assert_eq!(echo(&mut open, "still here").await, "still here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_alone_takes_a_member_out() {
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    let gateway = Gateway::start(&[
        ("service.yaml", &service("web", &[(one.address, true), (two.address, false)])),
        ("site.yaml", &ingress("site", "site.example", &[], &[("/", "web")])),
    ])
    .await;
    for _ in 0..10 {
        assert_eq!(gateway.get("site.example", "/").await.body, "one /");
    }
    assert_eq!(two.requests.load(Ordering::Relaxed), 0);
    gateway.edit("service.yaml", &service("web", &[(one.address, false), (two.address, false)])).await;
    let answer = gateway.get("site.example", "/").await;
    assert_eq!((answer.status, answer.reason()), (StatusCode::SERVICE_UNAVAILABLE, Some("NoReadyEndpoint")));
    gateway.edit("service.yaml", &service::<bool>("web", &[])).await;
    assert_eq!(gateway.get("site.example", "/").await.reason(), Some("NoEndpoints"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_probed_once_for_all_the_routes_that_use_it() {
    let one = Backend::start("one").await;
    let sites: Vec<String> =
        (0..20).map(|n| ingress(&format!("site-{n}"), &format!("{n}.example"), &[], &[("/", "web")])).collect();
    // The pod's own probe is the same for all of them.
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web-0, namespace: default}}\nspec:\n  containers:\n  - name: c\n    image: i\n\
         \x20   ports: [{{containerPort: {port}}}]\n    readinessProbe: {{httpGet: {{path: /healthz, port: {port}}}}}\n",
        port = one.address.port()
    );
    let services = service("web", &[(one.address, true)])
        .replace("port: 80}", &format!("port: 80, targetPort: {}}}", one.address.port()))
        .replace("conditions:", "targetRef: {kind: Pod, name: web-0, namespace: default}, conditions:");
    let gateway =
        Gateway::start(&[("service.yaml", &services), ("pod.yaml", &pod), ("sites.yaml", &sites.join("---\n"))]).await;
    for n in 0..20 {
        assert_eq!(gateway.get(&format!("{n}.example"), "/").await.body, "one /");
    }
    assert_eq!(one.probes.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn round_robin_is_even_and_least_connections_counts_sessions() {
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    let least = ("steadygate.io/load-distribution", "least-connections");
    let gateway = Gateway::start(&[
        ("service.yaml", &service("web", &[(one.address, true), (two.address, true)])),
        (
            "sites.yaml",
            &[
                ingress("even", "even.example", &[], &[("/", "web")]),
                ingress("least", "least.example", &[least], &[("/", "web")]),
            ]
            .join("---\n"),
        ),
    ])
    .await;
    let both_up = tokio::time::timeout(PATIENCE, async {
        while !(one.requests.load(Ordering::Relaxed) > 0 && two.requests.load(Ordering::Relaxed) > 0) {
            gateway.get("even.example", "/").await;
        }
    });
    both_up.await.expect("both take requests");
    let (one_before, two_before) = (one.requests.load(Ordering::Relaxed), two.requests.load(Ordering::Relaxed));
    for _ in 0..20 {
        gateway.get("even.example", "/").await;
    }
    assert_eq!(one.requests.load(Ordering::Relaxed) - one_before, 10);
    assert_eq!(two.requests.load(Ordering::Relaxed) - two_before, 10);

    let mut sessions = Vec::new();
    for _ in 0..10 {
        sessions.push(gateway.session("least.example", "/").await);
    }
    assert_eq!(one.requests.load(Ordering::Relaxed) - one_before, 15);
    assert_eq!(two.requests.load(Ordering::Relaxed) - two_before, 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_refuses_connections_is_passed_over() {
    let one = Backend::start("one").await;
    let gone = Backend::start("gone").await;
    let gateway = Gateway::start(&[
        ("service.yaml", &service("web", &[(one.address, true), (gone.address, true)])),
        ("site.yaml", &ingress("site", "site.example", &[], &[("/", "web")])),
    ])
    .await;
    eventually("both take requests", async || {
        gateway.get("site.example", "/").await;
        gone.requests.load(Ordering::Relaxed) > 0
    })
    .await;
    drop(gone);
    for _ in 0..20 {
        assert_eq!(gateway.get("site.example", "/x").await.body, "one /x");
    }
}

/// An Ingress for which nobody has written a probe.
fn unprobed(annotations: &[(&str, &str)]) -> String {
    let site = ingress("site", "site.example", annotations, &[("/", "web")]);
    site.replace("    appgw.ingress.kubernetes.io/health-probe-path: /healthz\n", "    example.com/none: none\n")
}

/// A server that speaks WebSocket alone: it closes the connection of any other request.
async fn websocket_only() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                while let Some(Ok(message)) = socket.next().await {
                    if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// How many members of the only pool stand so, by the metrics.
async fn standing(gateway: &Gateway, state: &str) -> u32 {
    let metrics = crate::gateway::get(gateway.app.admin, "localhost", "/metrics").await.body;
    let end = format!("state=\"{state}\"}} ");
    let lines = metrics.lines().filter(|line| line.starts_with("steadygate_pool_members{"));
    lines.filter_map(|line| line.split_once(&end)).map(|(_, count)| count.parse::<u32>().expect("a count")).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_probe_counts_only_while_some_member_passes_it() {
    let (spoken, one) = (websocket_only().await, Backend::start("one").await);
    let grace = ("steadygate.io/websocket-unhealthy-grace", "0");
    let gateway =
        Gateway::start(&[("service.yaml", &service("web", &[(spoken, true)])), ("site.yaml", &unprobed(&[grace]))])
            .await;
    let mut open = gateway.session("site.example", "/").await;
    eventually("the probe has failed", async || standing(&gateway, "ready").await == 1).await;
    let mut second = gateway.session("site.example", "/").await;
    // Members that are down are looked for once a second.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(echo(&mut open, "not closed for a guess").await, "not closed for a guess");
    assert_eq!(echo(&mut second, "nor is this one").await, "nor is this one");

    // A member that passes makes the guess one that counts.
    gateway.edit("service.yaml", &service("web", &[(spoken, true), (one.address, true)])).await;
    eventually("the other is down", async || standing(&gateway, "down").await == 1).await;
    for _ in 0..4 {
        assert_eq!(gateway.get("site.example", "/").await.body, "one /");
    }
    assert_eq!(crate::members::close_code(&mut open).await, Some(1012));

    // It does not, once that one is gone.
    drop(one);
    gateway.edit("service.yaml", &service("web", &[(spoken, true)])).await;
    let mut third = gateway.session("site.example", "/").await;
    assert_eq!(echo(&mut third, "served again").await, "served again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_probe_that_is_not_answered_is_waited_for_once() {
    let server = LoopbackServer::start(async |request: Request<Incoming>| {
        if request.uri().path() == "/" {
            std::future::pending::<()>().await;
        }
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("served")))
    })
    .await;
    let gateway =
        Gateway::start(&[("service.yaml", &service("web", &[(server.address, true)])), ("site.yaml", &unprobed(&[]))])
            .await;
    assert_eq!(gateway.get("site.example", "/first").await.body, "served");
    assert_eq!(standing(&gateway, "unknown").await, 1, "the probe has 30 s");
    assert_eq!(gateway.get("site.example", "/second").await.body, "served");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_not_probed_where_probes_are_off() {
    let one = Backend::start("one").await;
    let off = ("steadygate.io/health-probe", "off");
    let gateway = Gateway::start(&[
        ("service.yaml", &service("web", &[(one.address, true)])),
        ("site.yaml", &ingress("site", "site.example", &[off, INTERVAL], &[("/", "web")])),
    ])
    .await;
    assert_eq!(gateway.get("site.example", "/").await.body, "one /");
    assert_eq!(standing(&gateway, "ready").await, 1);
    assert_eq!((one.probes.load(Ordering::Relaxed), one.requests.load(Ordering::Relaxed)), (0, 1));
    gateway.edit("service.yaml", &service("web", &[(one.address, false)])).await;
    assert_eq!(gateway.get("site.example", "/").await.reason(), Some("NoReadyEndpoint"));
}
