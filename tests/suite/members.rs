//! Membership by the conditions of EndpointSlices, and the sessions of pods that terminate.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use http::StatusCode;
use tokio_tungstenite::tungstenite::Message;

use crate::gateway::{Endpoint, Gateway, PATIENCE, Session, echo, eventually, get, ingress, service};
use crate::pod::Pod;

const INTERVAL: (&str, &str) = ("appgw.ingress.kubernetes.io/health-probe-interval", "1");
const THRESHOLD: (&str, &str) = ("appgw.ingress.kubernetes.io/health-probe-unhealthy-threshold", "1");

/// A gateway before these pods.
async fn before(pods: &[(&Pod, Endpoint)]) -> Gateway {
    let site = ingress("site", "site.example", &[INTERVAL, THRESHOLD], &[("/", "web")]);
    let gateway = Gateway::start(&[("service.yaml", &slices(pods)), ("site.yaml", &site)]).await;
    eventually("the pods are up", async || gateway.get("site.example", "/").await.status == StatusCode::OK).await;
    gateway
}

fn slices(pods: &[(&Pod, Endpoint)]) -> String {
    let endpoints: Vec<_> = pods.iter().map(|(pod, endpoint)| (pod.address, *endpoint)).collect();
    service("web", &endpoints)
}

/// Waits for the end of a session and gives the code of its Close. Fails if the session is reset.
pub(crate) async fn close_code(session: &mut Session) -> Option<u16> {
    let end = async {
        let mut code = None;
        while let Some(message) = session.next().await {
            if let Message::Close(close) = message.expect("not reset") {
                code = close.map(|close| close.code.into());
            }
        }
        code
    };
    tokio::time::timeout(PATIENCE, end).await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_go_to_terminating_members_only_where_none_is_ready() {
    let (old, new) = (Pod::start("old").await, Pod::start("new").await);
    let gateway = before(&[(&old, Endpoint::Terminating), (&new, Endpoint::Ready)]).await;
    eventually("the new pod is up", async || gateway.get("site.example", "/").await.body == "new ").await;
    for _ in 0..20 {
        assert_eq!(gateway.get("site.example", "/").await.body, "new ");
    }
    gateway.edit("service.yaml", &slices(&[(&old, Endpoint::Terminating), (&new, Endpoint::NotReady)])).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("site.example", "/").await.body, "old ");
    }
    let dump = get(gateway.app.admin, "localhost", "/debug/config").await.body;
    assert!(dump.contains("\"endpoint\": \"terminating\"") && dump.contains("\"endpoint\": \"not_ready\""), "{dump}");
    let metrics = get(gateway.app.admin, "localhost", "/metrics").await.body;
    assert!(metrics.lines().any(|line| line.contains("state=\"terminating\"") && line.ends_with(" 1")), "{metrics}");

    // A session of the last resort stays while its pod serves.
    let mut last = gateway.session("site.example", "/").await;
    gateway.edit("service.yaml", &slices(&[(&old, Endpoint::Terminating)])).await;
    assert_eq!(echo(&mut last, "still here").await, "old still here");
    gateway.edit("service.yaml", &slices(&[(&old, Endpoint::Ending)])).await;
    assert_eq!(close_code(&mut last).await, Some(1001));
    let answer = gateway.get("site.example", "/").await;
    assert_eq!((answer.status, answer.reason()), (StatusCode::SERVICE_UNAVAILABLE, Some("NoReadyEndpoint")));
    assert!(answer.body.contains("1 terminating"), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminating_pod_that_fails_its_probe_gets_no_requests() {
    let old = Pod::start("old").await;
    let gateway = before(&[(&old, Endpoint::Terminating)]).await;
    old.kill();
    eventually("its probe fails", async || gateway.get("site.example", "/").await.reason() == Some("NoReadyEndpoint"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_closed_when_their_pod_terminates_and_not_when_it_is_unready() {
    let (one, two) = (Pod::start("one").await, Pod::start("two").await);
    let gateway = before(&[(&one, Endpoint::Ready)]).await;
    let mut session = gateway.session("site.example", "/").await;
    for pods in [
        &[(&one, Endpoint::NotReady)][..],
        &[(&one, Endpoint::Ready), (&two, Endpoint::Ready)],
        // Gone without a word: the selector of the Service may be another.
        &[(&two, Endpoint::Ready)],
        &[(&one, Endpoint::NotReady), (&two, Endpoint::Ready)],
    ] {
        gateway.edit("service.yaml", &slices(pods)).await;
        assert_eq!(echo(&mut session, "still here").await, "one still here");
    }
    // Another probe makes other members, but no other pod.
    let other = ("appgw.ingress.kubernetes.io/health-probe-timeout", "7");
    gateway.edit("site.yaml", &ingress("site", "site.example", &[INTERVAL, THRESHOLD, other], &[("/", "web")])).await;
    assert_eq!(echo(&mut session, "still here").await, "one still here");
    let began = Instant::now();
    gateway.edit("service.yaml", &slices(&[(&one, Endpoint::Terminating), (&two, Endpoint::Ready)])).await;
    assert_eq!(close_code(&mut session).await, Some(1001));
    assert!(began.elapsed() < Duration::from_secs(2), "one session needs no window: {:?}", began.elapsed());
    eventually("it is counted", async || {
        let metrics = get(gateway.app.admin, "localhost", "/metrics").await.body;
        metrics.lines().any(|line| line.contains("cause=\"member_drain\"") && line.ends_with(" 1"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_probe_still_closes_sessions_that_are_open() {
    let pod = Pod::start("pod").await;
    let gateway = before(&[(&pod, Endpoint::Ready)]).await;
    let grace = ("steadygate.io/websocket-unhealthy-grace", "0");
    let site = |more: &[(&str, &str)]| {
        ingress("site", "site.example", &[&[INTERVAL, THRESHOLD, grace], more].concat(), &[("/", "web")])
    };
    gateway.edit("site.yaml", &site(&[])).await;
    let mut session = gateway.session("site.example", "/").await;
    assert_eq!(echo(&mut session, "here").await, "pod here");
    gateway.edit("site.yaml", &site(&[("appgw.ingress.kubernetes.io/health-probe-status-codes", "299")])).await;
    assert_eq!(close_code(&mut session).await, Some(1012));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_takes_over_an_address_is_not_drained() {
    let old = Pod::start("old").await;
    let gateway = before(&[(&old, Endpoint::Ready)]).await;
    let mut first = gateway.session("site.example", "/").await;
    gateway.edit("service.yaml", &slices(&[(&old, Endpoint::Terminating)])).await;
    assert_eq!(close_code(&mut first).await, Some(1001));
    gateway.edit("service.yaml", &service::<bool>("web", &[])).await;
    old.kill();
    let mut new = None;
    eventually("the address is free", async || {
        if std::net::TcpListener::bind(old.address).is_ok() {
            new = Some(Pod::start_at("new", old.address).await);
        }
        new.is_some()
    })
    .await;
    let new = new.expect("started");
    gateway.edit("service.yaml", &slices(&[(&new, Endpoint::Ready)])).await;
    eventually("it is up", async || gateway.get("site.example", "/").await.body == "new ").await;
    let mut second = gateway.session("site.example", "/").await;
    gateway.edit("service.yaml", &slices(&[(&new, Endpoint::NotReady)])).await;
    assert!(tokio::time::timeout(Duration::from_millis(500), second.next()).await.is_err(), "nothing is said to it");
    assert_eq!(echo(&mut second, "here").await, "new here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_are_closed_when_their_pod_terminates() {
    let (old, new) = (Pod::start("old").await, Pod::start("new").await);
    for gone in [vec![(&old, Endpoint::Terminating), (&new, Endpoint::Ready)], vec![(&new, Endpoint::Ready)]] {
        let gateway = before(&[(&old, Endpoint::Ready)]).await;
        let answers = (0..8).map(|_| get(gateway.address(80), "site.example", "/"));
        futures_util::future::join_all(answers).await;
        assert!(old.connections.load(Ordering::Relaxed) > 0);
        gateway.edit("service.yaml", &slices(&gone)).await;
        let began = Instant::now();
        eventually("they are closed", async || old.connections.load(Ordering::Relaxed) == 0).await;
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_during_its_pods_departure_is_closed() {
    let (old, new) = (Pod::start("old").await, Pod::start("new").await);
    let gateway = before(&[(&new, Endpoint::Ready)]).await;
    // Known to be well, so that nobody needs the old one for want of it.
    let serving = [(&old, Endpoint::Ready), (&new, Endpoint::NotReady)];
    gateway.edit("service.yaml", &slices(&serving)).await;
    eventually("the old one is up", async || gateway.get("site.example", "/").await.body == "old ").await;
    for round in 0..10 {
        let opening: Vec<_> = (0..20)
            .map(|_| {
                let address = gateway.address(80);
                tokio::spawn(async move { crate::gateway::session(address, "site.example", "/").await.expect("opens") })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(300 * round)).await;
        gateway.edit("service.yaml", &slices(&[(&old, Endpoint::Terminating), (&new, Endpoint::Ready)])).await;
        for session in opening {
            let mut session = session.await.expect("opened");
            let where_it_is = tokio::time::timeout(PATIENCE, async {
                use futures_util::SinkExt;
                let _ = session.send("who".into()).await;
                session.next().await
            });
            match where_it_is.await.expect("in time") {
                Some(Ok(Message::Text(text))) if text.as_str() == "new who" => {}
                Some(Ok(Message::Close(close))) => assert_eq!(close.map(|close| u16::from(close.code)), Some(1001)),
                // Asked before the word came.
                Some(Ok(Message::Text(_))) => assert_eq!(close_code(&mut session).await, Some(1001)),
                other => panic!("{other:?}"),
            }
        }
        gateway.edit("service.yaml", &slices(&serving)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_stays_with_its_pod_when_its_route_leads_elsewhere() {
    let (blue, green) = (Pod::start("blue").await, Pod::start("green").await);
    let services = |state: Endpoint| {
        format!("{}---\n{}", service("blue", &[(blue.address, state)]), service("green", &[(green.address, true)]))
    };
    let site = |to: &str| ingress("site", "site.example", &[INTERVAL, THRESHOLD], &[("/", to)]);
    let gateway = Gateway::start(&[("services.yaml", &services(Endpoint::Ready)), ("site.yaml", &site("blue"))]).await;
    eventually("blue serves", async || gateway.get("site.example", "/").await.body == "blue ").await;
    let mut session = gateway.session("site.example", "/").await;
    gateway.edit("site.yaml", &site("green")).await;
    eventually("green serves", async || gateway.get("site.example", "/").await.body == "green ").await;
    assert_eq!(echo(&mut session, "still here").await, "blue still here");
    gateway.edit("services.yaml", &services(Endpoint::Terminating)).await;
    assert_eq!(close_code(&mut session).await, Some(1001));
}
