//! The examples of Microsoft's documentation for Application Gateway, as a table: path override, path maps, redirects, rewrites. Each is
//! asked over HTTP/1.1 and HTTP/2; redirects are handshakes' answers too.

mod backend;
mod table;

use http::header::LOCATION;
use steadygate::proxy::ProxySettings;
use tokio_tungstenite::tungstenite;

use crate::gateway::{Answer, Gateway, get, get_over_http2, service, session};
use table::{EXAMPLES, Example, Exchange, Side};

/// The names of the pools, each with a backend of its own.
const POOLS: [&str; 6] = ["default", "images", "video", "shoes", "bags", "accessories"];

/// Listeners where an example has none of its own.
const LISTENERS: &str = "
  - {name: http, frontendPort: {name: port80}, protocol: Http}
  - {name: https, frontendPort: {name: port443}, protocol: Https, sslCertificate: {name: contoso}}
  - {name: other, frontendPort: {name: port8081}, protocol: Http}";

/// An ApplicationGateway with what all examples have, and what this one adds.
fn application_gateway(Example { listeners, spec, .. }: &Example) -> String {
    let pools = POOLS.map(|name| format!("{{name: {name}, serviceRef: {{name: {name}}}}}"));
    format!(
        "apiVersion: steadygate.io/v1alpha1\nkind: ApplicationGateway\nmetadata: {{name: contoso, namespace: default}}\nspec:\n  \
         frontendPorts: [{{name: port80, port: 80}}, {{name: port443, port: 443}}, {{name: port8081, port: 8081}}]\n  \
         sslCertificates: [{{name: contoso, secretRef: {{name: contoso}}}}]\n  httpListeners:{listeners}\n  \
         backendAddressPools: [{pools}]\n  probes: [{{name: health, protocol: Http, path: /healthz}}]\n  \
         backendHttpSettingsCollection:\n  - {{name: plain, port: 80, protocol: Http, probe: {{name: health}}}}\n  \
         - {{name: override, port: 80, protocol: Http, probe: {{name: health}}, path: /override/}}\n{spec}",
        listeners = listeners.unwrap_or(LISTENERS),
        pools = pools.join(", "),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_documentation_do_as_they_say() {
    let mut backends = Vec::new();
    for name in POOLS {
        backends.push(backend::start(name).await);
    }
    let services = POOLS.iter().zip(&backends).map(|(name, backend)| service(name, &[(backend.address, true)]));
    let services: String = services.collect::<Vec<_>>().join("---\n");
    let made = rcgen::generate_simple_self_signed(["www.contoso.com".to_owned()]).expect("a certificate");
    let secret = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "contoso"},
        "stringData": {"tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem()}});
    let settings = ProxySettings { clear_text_http2: true, ..ProxySettings::default() };
    let files = [
        ("gateway.yaml", &*application_gateway(&EXAMPLES[0])),
        ("services.yaml", &services),
        ("secret.yaml", &secret.to_string()),
    ];
    let gateway = Gateway::start_with(settings, &files).await;
    for (index, example) in EXAMPLES.iter().enumerate() {
        if index > 0 {
            gateway.edit("gateway.yaml", &application_gateway(example)).await;
        }
        for exchange in example.exchanges {
            check(&gateway, example.source, exchange).await;
        }
    }
}

async fn check(gateway: &Gateway, source: &str, exchange: &Exchange) {
    let Exchange { asks, gets, headers } = exchange;
    let url: http::Uri = asks.parse().expect("a URL");
    let (address, host) = (gateway.address(url.port_u16().unwrap_or(80)), url.host().expect("a host"));
    let path = url.path_and_query().expect("a path").as_str();
    for answer in [get(address, host, path).await, get_over_http2(address, host, path).await] {
        assert_eq!(told(&answer), *gets, "{source}: {asks}");
        for (side, name, value) in *headers {
            let found = match side {
                Side::Backend => answer.body.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))),
                Side::Client => answer.headers.get(*name).map(|value| value.to_str().expect("text")),
            };
            assert_eq!(found.unwrap_or_default(), *value, "{source}: {asks}: {name} at the {side:?}");
        }
    }
    if gets.starts_with('3') && headers.is_empty() {
        let refused = session(address, host, path).await;
        let Err(tungstenite::Error::Http(answer)) = refused else {
            panic!("{source}: {asks}: no answer to the handshake")
        };
        let location = answer.headers()[LOCATION].to_str().expect("text");
        assert_eq!(format!("{} {location}", answer.status().as_u16()), *gets, "{source}: {asks}, ws");
    }
}

/// What became of a request: status and Location of a redirect, or the pool and the target that its backend got.
fn told(answer: &Answer) -> String {
    match answer.headers.get(LOCATION) {
        Some(location) => format!("{} {}", answer.status.as_u16(), location.to_str().expect("text")),
        None => answer.body.lines().next().unwrap_or_default().to_owned(),
    }
}
