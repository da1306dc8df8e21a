use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::jwks::fetch::{MAX_KEY_SET_BYTES, fetch};

/// An issuer on loopback, whose answer can be changed.
struct Issuer {
    address: SocketAddr,
    answer: Arc<Mutex<String>>,
    requests: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let issuer = Self { address, answer: Arc::new(Mutex::new(answer)), requests: Arc::default() };
        let (answer, requests) = (Arc::clone(&issuer.answer), Arc::clone(&issuer.requests));
        tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
                while !head.ends_with(b"\r\n\r\n") {
                    let read = stream.read(&mut buffer).await.unwrap_or(0);
                    head.extend_from_slice(&buffer[..read]);
                    // The client has hung up, or begins a TLS handshake.
                    if read == 0 || head[0] == 0x16 {
                        break;
                    }
                }
                requests.fetch_add(1, Ordering::SeqCst);
                let text = answer.lock().expect("not poisoned").clone();
                // The gateway may have hung up: it reads no more than it may.
                let _ = stream.write_all(text.as_bytes()).await;
            }
        });
        issuer
    }

    fn answer(&self, answer: String) {
        *self.answer.lock().expect("not poisoned") = answer;
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn url(&self) -> KeyUrl {
        KeyUrl::parse(&format!("http://{}/keys", self.address)).expect("a URL")
    }
}

fn keys(id: &str) -> String {
    let key = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    ok(&format!(r#"{{"keys":[{{{key},"kid":"{id}"}}]}}"#))
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Only loopback differs from a cluster's policy.
fn loopback() -> AddressPolicy {
    AddressPolicy { allow_loopback: true, ..AddressPolicy::default() }
}

/// Times at which nothing is fetched but what a test asks for.
fn times() -> FetchTimes {
    FetchTimes { min_demand_interval: Duration::ZERO, ..FetchTimes::default() }
}

fn key_sets(policy: AddressPolicy, times: FetchTimes) -> KeySets {
    KeySets::new(tokio::runtime::Handle::current(), policy, times)
}

fn watched(sets: &KeySets, url: KeyUrl) -> Arc<FetchedKeys> {
    sets.watch([url.clone()]);
    sets.of(&url).expect("watched")
}

const PATIENCE: Duration = Duration::from_secs(5);

fn has(set: Option<&Arc<crate::model::KeySet>>, id: &str) -> bool {
    set.is_some_and(|set| set.candidates(Some(id)).count() == 1)
}

#[tokio::test]
async fn keys_are_fetched_at_once_and_again_when_a_request_needs_others() {
    let issuer = Issuer::start(keys("a")).await;
    let fetched = watched(&key_sets(loopback(), times()), issuer.url());
    let first = fetched.renewed(PATIENCE).await.expect("keys");
    assert!(has(Some(&first), "a") && fetched.has(&first));
    assert_eq!(issuer.requests(), 1, "a request that comes before the first answer waits for it");

    // Keys that have not changed stay the same object.
    let again = fetched.renewed(PATIENCE).await.expect("keys");
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(issuer.requests(), 2);

    issuer.answer(keys("b"));
    assert!(has(fetched.renewed(PATIENCE).await.as_ref(), "b"));
    assert!(!fetched.has(&first));
}

#[tokio::test]
async fn many_requests_wait_for_one_fetch_and_then_there_is_none_for_a_while() {
    let issuer = Issuer::start(keys("a")).await;
    let times = FetchTimes { min_demand_interval: Duration::from_millis(300), ..times() };
    let fetched = watched(&key_sets(loopback(), times), issuer.url());
    let all = join_all((0..50).map(|_| fetched.renewed(PATIENCE))).await;
    assert!(all.iter().all(Option::is_some));
    assert_eq!(issuer.requests(), 1);
    join_all((0..50).map(|_| fetched.renewed(PATIENCE))).await;
    assert_eq!(issuer.requests(), 1, "the last fetch has just ended");
    // The interval passes.
    tokio::time::sleep(Duration::from_millis(350)).await;
    join_all((0..50).map(|_| fetched.renewed(PATIENCE))).await;
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test]
async fn the_last_keys_stay_while_the_issuer_fails_but_not_for_ever() {
    let issuer = Issuer::start(keys("a")).await;
    let times = FetchTimes { max_age: Duration::from_millis(200), ..times() };
    let fetched = watched(&key_sets(loopback(), times), issuer.url());
    assert!(has(fetched.renewed(PATIENCE).await.as_ref(), "a"));
    issuer.answer("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_owned());
    assert!(has(fetched.renewed(PATIENCE).await.as_ref(), "a"));
    // They become too old.
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert!(fetched.renewed(PATIENCE).await.is_none());
    issuer.answer(keys("b"));
    assert!(has(fetched.renewed(PATIENCE).await.as_ref(), "b"));
    let counted = [&fetched.succeeded, &fetched.failed].map(|counter| counter.load(Ordering::Relaxed));
    assert!(counted[0] >= 2 && counted[1] >= 2, "{counted:?}");
}

#[tokio::test]
async fn a_failed_fetch_is_repeated_without_anybody_asking() {
    let issuer = Issuer::start(String::new()).await;
    let retries = (Duration::from_millis(10), Duration::from_millis(20));
    let fetched = watched(&key_sets(loopback(), FetchTimes { retries, ..times() }), issuer.url());
    let fails = async {
        while issuer.requests() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, fails).await.expect("it is asked again");
    assert!(fetched.current().is_none());
    issuer.answer(keys("a"));
    let comes = async {
        while fetched.current().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, comes).await.expect("the keys come");
}

#[tokio::test]
async fn an_address_that_no_backend_may_have_is_never_asked() {
    let issuer = Issuer::start(keys("a")).await;
    let fetched = watched(&key_sets(AddressPolicy::default(), times()), issuer.url());
    assert!(fetched.renewed(PATIENCE).await.is_none());
    assert_eq!(issuer.requests(), 0);
    let own = AddressPolicy { own: [issuer.address].into(), ..loopback() };
    let error = fetch(&issuer.url(), &own).await.expect_err("forbidden").to_string();
    assert!(error.contains("the gateway's own address"), "{error}");
    let metadata = KeyUrl::parse("http://169.254.169.254/latest").expect("a URL");
    let error = fetch(&metadata, &loopback()).await.expect_err("forbidden").to_string();
    assert!(error.contains("a link-local address"), "{error}");
    assert_eq!(issuer.requests(), 0);
}

#[tokio::test]
async fn what_is_no_key_set_is_refused_with_the_reason() {
    let issuer = Issuer::start(String::new()).await;
    let large = "x".repeat(MAX_KEY_SET_BYTES + 1);
    for (answer, expected) in [
        (String::new(), "no answer"),
        ("garbage\r\n\r\n".to_owned(), "no answer"),
        ("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n".to_owned(), "302"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned(), "breaks off"),
        (ok("<html>"), "not a JSON Web Key Set"),
        (ok(r#"{"keys":[]}"#), "none of its 0 keys"),
        (ok(&large), "larger than"),
        (format!("HTTP/1.1 200 OK\r\n\r\n{large}"), "larger than"),
    ] {
        issuer.answer(answer);
        let error = fetch(&issuer.url(), &loopback()).await.expect_err("no keys").to_string();
        assert!(error.contains(expected), "{error}, expected {expected}");
    }
    // What comes as TLS is none.
    let secure = KeyUrl::parse(&format!("https://{}/keys", issuer.address)).expect("a URL");
    let error = fetch(&secure, &loopback()).await.expect_err("no TLS").to_string();
    assert!(error.contains("TLS"), "{error}");
}

#[tokio::test]
async fn the_keys_of_a_url_that_no_route_has_are_forgotten() {
    let issuer = Issuer::start(keys("a")).await;
    let sets = key_sets(loopback(), times());
    let fetched = watched(&sets, issuer.url());
    let keys = fetched.renewed(PATIENCE).await.expect("keys");
    sets.watch([issuer.url()]);
    assert!(Arc::ptr_eq(&fetched, &sets.of(&issuer.url()).expect("still there")), "it is fetched once");
    sets.forget([issuer.url()]);
    assert!(sets.of(&issuer.url()).is_none());
    assert!(!fetched.has(&keys), "what was verified by them is verified again");
}
