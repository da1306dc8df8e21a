//! `kubectl rollout restart` under load: no request fails, sessions of replaced pods get a Close, and the others stay.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::gateway::{Endpoint, Gateway, Session, echo, eventually, ingress, service};
use crate::members::close_code;
use crate::pod::Pod;

const PODS: usize = 3;
const SESSIONS: usize = 200;

/// Requests without a pause, GET and POST in turn, on one connection for as long as it is kept open.
async fn ask(address: std::net::SocketAddr, stop: Arc<AtomicBool>, served: Arc<AtomicUsize>) -> Vec<String> {
    let mut failures = Vec::new();
    let mut kept = None;
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let mut sender = match kept.take() {
            Some(sender) => sender,
            None => {
                let stream = TcpStream::connect(address).await.expect("connects");
                let (sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
                tokio::spawn(connection);
                sender
            }
        };
        let (method, body) = if turn % 2 == 0 { (Method::GET, "") } else { (Method::POST, "some words") };
        let request = Request::builder().method(&method).uri("/").header("host", "site.example");
        let request = request.body(Full::new(Bytes::from(body))).expect("a request");
        match sender.send_request(request).await {
            Ok(response) if response.status() == StatusCode::OK => {
                let text = response.into_body().collect().await.expect("whole").to_bytes();
                assert!(text.ends_with(format!(" {body}").as_bytes()), "{text:?}");
                served.fetch_add(1, Ordering::Relaxed);
                kept = Some(sender);
            }
            Ok(response) => failures.push(format!("{method} {} {:?}", response.status(), response.headers())),
            Err(error) => failures.push(format!("{method} {error:?}")),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    failures
}

fn slices(pods: &[(&Pod, Endpoint)]) -> String {
    let endpoints: Vec<_> = pods.iter().map(|(pod, endpoint)| (pod.address, *endpoint)).collect();
    service("web", &endpoints)
}

struct Rollout {
    gateway: Gateway,
    pods: Vec<Pod>,
    /// Sessions, each with the name of its pod.
    sessions: Vec<(String, Session)>,
}

impl Rollout {
    async fn begin() -> Self {
        let mut pods = Vec::new();
        for number in 0..PODS {
            pods.push(Pod::start(format!("old-{number}")).await);
        }
        let ready: Vec<_> = pods.iter().map(|pod| (pod, Endpoint::Ready)).collect();
        let site = ingress("site", "site.example", &[], &[("/", "web")]);
        let gateway = Gateway::start(&[("service.yaml", &slices(&ready)), ("site.yaml", &site)]).await;
        let mut seen = std::collections::BTreeSet::new();
        eventually("all are up", async || {
            seen.insert(gateway.get("site.example", "/").await.body);
            seen.len() == PODS
        })
        .await;
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            let mut session = gateway.session("site.example", "/").await;
            let name = echo(&mut session, "hello").await.trim_end_matches(" hello").to_owned();
            sessions.push((name, session));
        }
        Self { gateway, pods, sessions }
    }

    /// The EndpointSlice; the oldest pod has the conditions `last`.
    fn slices(&self, last: Option<Endpoint>) -> String {
        let pods = self.pods.iter().enumerate();
        let pods = pods.filter_map(|(n, pod)| Some((pod, if n == 0 { last? } else { Endpoint::Ready })));
        slices(&pods.collect::<Vec<_>>())
    }

    /// Starts a new pod, and adds it to the EndpointSlice.
    async fn surge(&mut self, name: String) {
        self.pods.push(Pod::start(name).await);
        self.gateway.edit("service.yaml", &self.slices(Some(Endpoint::Ready))).await;
    }

    /// Checks that each session of the oldest pod got a Close, and that the others are open.
    async fn retire(&mut self) {
        let pod = self.pods.remove(0);
        let (theirs, others): (Vec<_>, Vec<_>) = self.sessions.drain(..).partition(|(name, _)| *name == pod.name);
        assert!(theirs.len() >= SESSIONS / PODS / 2, "{} sessions were on {}", theirs.len(), pod.name);
        for (_, mut session) in theirs {
            assert_eq!(close_code(&mut session).await, Some(1001));
        }
        self.sessions = others;
        for (name, session) in &mut self.sessions {
            assert_eq!(echo(session, "still here").await, format!("{name} still here"));
        }
    }
}

/// Replaces every pod, one by one, under load; gives the requests that failed.
async fn roll(abrupt: bool) -> Vec<String> {
    let mut rollout = Rollout::begin().await;
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let address = rollout.gateway.address(80);
    let clients: Vec<_> = (0..4).map(|_| tokio::spawn(ask(address, Arc::clone(&stop), Arc::clone(&served)))).collect();
    for number in 0..PODS {
        rollout.surge(format!("new-{number}")).await;
        rollout.gateway.edit("service.yaml", &rollout.slices(Some(Endpoint::Terminating))).await;
        // What was on its way to the pod has got there: a kubelet takes longer to its SIGTERM.
        tokio::time::sleep(Duration::from_millis(500)).await;
        if abrupt {
            rollout.pods[0].kill()
        } else {
            rollout.pods[0].end()
        }
        rollout.gateway.edit("service.yaml", &rollout.slices(Some(Endpoint::Ending))).await;
        rollout.gateway.edit("service.yaml", &rollout.slices(None)).await;
        rollout.retire().await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut failures = Vec::new();
    for client in clients {
        failures.extend(client.await.expect("no client fails"));
    }
    let served = served.load(Ordering::Relaxed);
    assert!(served > 100, "the clients were busy: {served}");
    assert!(rollout.sessions.is_empty());
    failures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_end_in_good_order_are_replaced_unnoticed() {
    assert_eq!(roll(false).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_end_at_once_are_replaced_unnoticed() {
    assert_eq!(roll(true).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_a_pod_that_dies_before_its_slice_changes_get_a_close() {
    let mut rollout = Rollout::begin().await;
    for _ in 0..PODS - 1 {
        rollout.pods[0].kill();
        tokio::time::sleep(Duration::from_millis(100)).await;
        rollout.gateway.edit("service.yaml", &rollout.slices(Some(Endpoint::Ending))).await;
        rollout.retire().await;
    }
}
