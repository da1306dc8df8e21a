//! What ingress-nginx answers, row by row: `tests/ingress-nginx` over sockets, over HTTP/1.1 and HTTP/2.

mod client;
mod recorder;
mod row;

use std::path::Path;

use steadygate::proxy::ProxySettings;

use self::client::{Answer, Client, Protocol};
use self::row::Row;
use crate::gateway::{Gateway, eventually, service};

const CLASS: &str = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\n\
                     spec: {controller: k8s.io/ingress-nginx}\n";

/// The Services that rows name. No other Service is there but `empty`, which has no endpoint.
const SERVICES: [&str; 3] = ["a", "b", "c"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_are_those_of_ingress_nginx() {
    run("paths").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rewrites_are_those_of_ingress_nginx() {
    run("rewrites").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_are_those_of_ingress_nginx() {
    run("redirects").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_that_of_ingress_nginx() {
    run("tls").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cross_origin_requests_are_those_of_ingress_nginx() {
    run("cors").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canaries_are_those_of_ingress_nginx() {
    run("canaries").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_those_of_ingress_nginx() {
    run("limits").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_are_those_of_ingress_nginx() {
    run("headers").await;
}

/// Runs the rows of a file: those whose client is a trusted proxy on a gateway of their own.
async fn run(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/ingress-nginx/{file}.yaml"));
    let rows = row::read(&std::fs::read_to_string(path).expect("readable"));
    let (trusted, plain): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.trusted);
    let mut wrong = Vec::new();
    for rows in [plain, trusted] {
        if !rows.is_empty() {
            wrong.extend(run_on_one_gateway(&rows).await);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs rows on one gateway, and says which are answered otherwise than they say.
async fn run_on_one_gateway(rows: &[Row]) -> Vec<String> {
    let recorders = [recorder::start("a").await, recorder::start("b").await, recorder::start("c").await];
    let certified: Vec<String> = rows.iter().flat_map(Row::certified_hosts).collect();
    let made = rcgen::generate_simple_self_signed(certified.clone()).expect("a certificate");
    let secret = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "tls", "namespace": "default"},
        "stringData": {"tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem()},
    });
    let mut files = vec![("class.yaml".to_owned(), CLASS.to_owned()), ("tls.json".to_owned(), secret.to_string())];
    for (name, recorder) in SERVICES.into_iter().zip(&recorders) {
        files.push((format!("{name}.yaml"), service(name, &[(recorder.address, true)])));
    }
    files.push(("empty.yaml".to_owned(), service::<bool>("empty", &[])));
    for row in rows {
        files.extend(
            row.manifests().into_iter().enumerate().map(|(index, text)| (format!("{}-{index}.json", row.id), text)),
        );
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    let trusted_proxies = if rows[0].trusted { vec!["127.0.0.0/8".parse().expect("a net")] } else { Vec::new() };
    let settings = ProxySettings { clear_text_http2: true, trusted_proxies, ..ProxySettings::default() };
    let gateway = Gateway::start_with(settings, &files).await;
    if !certified.is_empty() {
        eventually("port 443 is open", async || gateway.app.addresses.borrow().contains_key(&443)).await;
    }

    let client = Client::new(&gateway, made.cert.der().clone());
    let mut wrong = Vec::new();
    for row in rows {
        let protocols = [Protocol::Http1, Protocol::Http2];
        for protocol in protocols.into_iter().take(if row.one_protocol { 1 } else { 2 }) {
            let mut cookies = Vec::new();
            for request in &row.requests {
                let mut answers = Vec::new();
                for _ in 0..request.times {
                    answers.push(client.send(row, request, protocol, &cookies).await);
                }
                cookies.extend(answers.iter().flat_map(Answer::cookies));
                let found = answers.iter().flat_map(|answer| request.differences(row, answer));
                let found = found.chain(request.wrong_shares(&answers));
                let what = format!("{} ({}), {} over {protocol:?}", row.id, row.rule, request.send);
                wrong.extend(found.map(|found| format!("{what}: {found}")));
            }
        }
    }
    wrong
}
