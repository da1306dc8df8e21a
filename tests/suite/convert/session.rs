//! From the page that people read to a session: its fragments are converted, filled in, served, and carry a WebSocket over both listeners.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{convert, filled, fixture};
use crate::gateway::{Backend, Gateway, PATIENCE, echo, eventually};
use futures_util::{SinkExt, StreamExt};

const PAGES: &[&str] =
    &["websocket.en.txt", "websocket.nl.txt", "websocket.pt.txt", "websocket.sv.txt", "websocket.zh.txt"];

/// What a reader of the report writes into the skeletons.
fn fill_in(yaml: &str, backend: &Backend) -> String {
    let mut name = String::new();
    let mut lines = Vec::new();
    for line in yaml.lines() {
        let Some((indent, skeleton)) = line.split_once("# ").filter(|(indent, _)| indent.trim().is_empty()) else {
            lines.push(line.to_owned());
            continue;
        };
        if skeleton.starts_with("Referred to") {
            continue;
        }
        if let Some(found) = skeleton.strip_prefix("- name: ") {
            name = found.to_owned();
        }
        let port = match name.as_str() {
            "appGatewayFrontendPort443" => 443,
            "appGatewayFrontendPort80" => 80,
            _ => backend.address.port(),
        };
        let filled = skeleton
            .replace("<the port of the backends>", &port.to_string())
            .replace("<the port>", &port.to_string())
            .replace("<the address of a backend; or fqdn>", &backend.address.ip().to_string())
            .replace("<a Secret of type kubernetes.io/tls>", "page-tls")
            .replace("<Http or Https>", "Http");
        lines.push(format!("{indent}{filled}"));
    }
    lines.join("\n") + "\n"
}

#[tokio::test]
async fn a_page_becomes_a_gateway_with_sessions_over_both_listeners() {
    let secret = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "page-tls"}, "type": "kubernetes.io/tls",
    });
    let secret = filled(&secret, &["chat.example"]);
    for page in PAGES {
        let converted = convert(&fixture(&format!("pages/{page}")), &[]);
        assert_eq!(converted.code, 1, "{page}: {}", converted.report);
        let backend = Backend::start("page").await;
        let manifests = fill_in(&converted.yaml, &backend);
        assert!(!manifests.replace("<ruleName", "").contains('<'), "{page}: {manifests}");
        let gateway = Gateway::start(&[("gateway.yaml", &manifests), ("secret.json", &secret)]).await;

        let mut session = gateway.session("chat.example", "/chat").await;
        assert_eq!(echo(&mut session, "over ws").await, "over ws", "{page}");

        let is_open = async || gateway.app.addresses.borrow().contains_key(&443);
        eventually("port 443 is open", is_open).await;
        let made: serde_json::Value = serde_json::from_str(&secret).expect("JSON");
        let pem = made["stringData"]["tls.crt"].as_str().expect("PEM");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")).expect("a root");
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(gateway.address(443)).await.expect("connects");
        let name = ServerName::try_from("chat.example").expect("a name");
        let stream = connector.connect(name, stream).await.expect("TLS");
        let (mut session, _) =
            tokio_tungstenite::client_async("wss://chat.example/chat", stream).await.expect("a session");
        session.send("over wss".into()).await.expect("sent");
        let answer =
            tokio::time::timeout(PATIENCE, session.next()).await.expect("in time").expect("open").expect("a message");
        assert_eq!(answer.into_text().expect("text").as_str(), "over wss", "{page}");
    }
}

#[test]
fn each_fragment_of_a_page_converts_by_itself() {
    let directory = tempfile::tempdir().expect("a directory");
    for page in PAGES {
        let text = std::fs::read_to_string(fixture(&format!("pages/{page}"))).expect("readable");
        let begin = |name: &str| text.find(name).expect("the fragment");
        let (listeners, rules) = (begin("\"httpListeners\""), begin("\"requestRoutingRules\""));
        let listeners = &text[listeners..rules];
        let listeners = &listeners[..listeners.rfind(']').expect("its end") + 1];
        let rules = &text[rules..];
        let rules = &rules[..rules.find("}]").expect("its end") + 2];
        let fragments = [listeners, rules];
        for (fragment, counted) in fragments.iter().zip(["httpListeners", "requestRoutingRules"]) {
            let file = directory.path().join("fragment.json");
            std::fs::write(&file, fragment).expect("written");
            let converted = convert(&file, &[]);
            assert_eq!(converted.code, 1, "{page}: {}\n{fragment}", converted.report);
            let gateway = converted.of_kind("ApplicationGateway").remove(0);
            assert_eq!(gateway["spec"][counted].as_array().expect("a list").len(), 2, "{page}");
        }
    }
}
