use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::model::SecretBytes;
use crate::pool::member::MemberKey;

fn member_at(address: SocketAddr) -> Member {
    let key = MemberKey { address, name: None, transport: Arc::new(Transport::Http), probe: None };
    let connector = Connector::new(address, None, &Transport::Http).expect("clear text");
    Member::new(key, 1, connector, Arc::default(), Health::Unknown)
}

/// The outcome of a probe that expects `text`, where the member answers with `body`.
async fn outcome(text: String, body: String) -> ProbeOutcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("the probe connects");
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.expect("reads") > 0, "a request");
        // The prober may leave before the end, once it has read as much as it searches.
        let _ = stream.write_all(answer.as_bytes()).await;
    });
    let outcome = ask(&member_at(address), &Probe { body: Some(text), ..Probe::arm_default(false) }).await;
    server.await.expect("served");
    outcome
}

#[tokio::test]
async fn the_longest_text_is_found_whatever_its_characters() {
    for character in ["x", "é", "語", "🦀"] {
        let text = character.repeat(MAX_PROBE_BODY_CHARS);
        assert_eq!(outcome(text.clone(), text).await, ProbeOutcome::Passed(Some(200)), "{character}");
    }
}

#[tokio::test]
async fn a_text_beyond_the_searched_part_of_the_body_is_not_found() {
    let text = "healthy".to_owned();
    let begins_at = |index: usize| format!("{}{text}", "-".repeat(index));
    assert_eq!(outcome(text.clone(), begins_at(MAX_BODY_BYTES - text.len())).await, ProbeOutcome::Passed(Some(200)));
    assert!(matches!(outcome(text.clone(), begins_at(MAX_BODY_BYTES)).await, ProbeOutcome::Failed(_)));
}

#[test]
fn declared_headers_are_sent_as_the_kubelet_sends_them() {
    let header =
        |(name, value): (&str, &str)| ProbeHeader { name: name.to_owned(), value: SecretBytes::new(value.as_bytes()) };
    let sent = |headers: &[(&str, &str)]| {
        let probe = Probe { headers: headers.iter().copied().map(header).collect(), ..Probe::arm_default(false) };
        let request = request(&probe, "host.example".to_owned()).expect("a request");
        let all = |name| -> Vec<String> {
            request
                .headers()
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect()
        };
        ["host", "user-agent", "accept", "x-probe"].map(|name| all(name).join("|"))
    };
    let own = concat!("steadygate-probe/", env!("CARGO_PKG_VERSION"));
    assert_eq!(sent(&[]), ["host.example", own, "*/*", ""]);
    assert_eq!(sent(&[("X-Probe", "a"), ("x-probe", "é")]), ["host.example", own, "*/*", "a|é"]);
    assert_eq!(sent(&[("User-Agent", "mine"), ("Accept", "")]), ["host.example", "mine", "", ""]);
}

#[tokio::test]
async fn a_member_that_can_t_be_connected_to_is_unreachable_and_one_that_closes_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let closing = tokio::spawn(async move {
        drop(listener.accept().await.expect("the probe connects"));
        drop(listener);
    });
    let member = member_at(address);
    assert!(matches!(ask(&member, &Probe::arm_default(false)).await, ProbeOutcome::Failed(_)));
    closing.await.expect("closed");
    assert!(matches!(ask(&member, &Probe::arm_default(false)).await, ProbeOutcome::Unreachable(_)));
}
