//! The rows of a file: Ingresses, requests, and what is expected.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Answer;

const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// One row, as `tests/ingress-nginx/README.md` has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) rule: String,
    /// For readers alone.
    #[serde(default, rename = "differs")]
    _differs: Option<String>,
    #[serde(default)]
    pub(super) trusted: bool,
    /// Whether HTTP/1.1 alone is spoken: what is sent over one protocol counts for the other.
    #[serde(default)]
    pub(super) one_protocol: bool,
    ingresses: Vec<Ingress>,
    pub(super) requests: Vec<Request>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ingress {
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    tls: bool,
    /// Type, path and Service (default: a).
    paths: Vec<String>,
}

/// A request, and what is expected of its answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// Method and target.
    pub(super) send: String,
    #[serde(default)]
    pub(super) https: bool,
    #[serde(default)]
    pub(super) host: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default, rename = "answer")]
    answer_headers: BTreeMap<String, Option<String>>,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    request_headers: BTreeMap<String, Option<String>>,
    /// Whether the cookies are sent that answers of the row have set.
    #[serde(default)]
    pub(super) cookies: bool,
    /// How often the request is sent.
    #[serde(default = "once")]
    pub(super) times: usize,
    /// Bytes of the body.
    #[serde(default)]
    pub(super) body: usize,
    /// Whether the length of the body is not declared.
    #[serde(default)]
    pub(super) chunked: bool,
    /// How many of these have a status, in place of `status`: at least and at most.
    #[serde(default)]
    statuses: BTreeMap<u16, [usize; 2]>,
    /// How many of these come to a Service: at least and at most.
    #[serde(default)]
    shares: BTreeMap<String, [usize; 2]>,
}

fn once() -> usize {
    1
}

fn ok() -> u16 {
    200
}

pub(super) fn read(text: &str) -> Vec<Row> {
    serde_saphyr::from_str(text).expect("rows")
}

impl Row {
    fn host(&self) -> String {
        format!("{}.test", self.id.to_ascii_lowercase())
    }

    /// A text with the row's host in it.
    pub(super) fn filled(&self, text: &str) -> String {
        text.replace("{host}", &self.host())
    }

    fn host_of(&self, ingress: &Ingress) -> String {
        ingress.host.as_deref().map_or_else(|| self.host(), |host| self.filled(host))
    }

    /// The hosts for which a certificate is made.
    pub(super) fn certified_hosts(&self) -> Vec<String> {
        let hosts = self.ingresses.iter().filter(|ingress| ingress.tls).map(|ingress| self.host_of(ingress));
        hosts.flat_map(|host| [host.clone(), format!("www.{host}")]).filter(|host| !host.starts_with("www.*")).collect()
    }

    /// The row's Ingresses, the oldest first.
    pub(super) fn manifests(&self) -> Vec<String> {
        let manifest = |(index, ingress): (usize, &Ingress)| {
            let host = self.host_of(ingress);
            let paths: Vec<Value> = ingress.paths.iter().map(|path| path_of(path)).collect();
            let annotations: BTreeMap<String, String> =
                ingress.annotations.iter().map(|(key, value)| (format!("{PREFIX}{key}"), self.filled(value))).collect();
            let tls = if ingress.tls { json!([{"hosts": [host], "secretName": "tls"}]) } else { json!([]) };
            json!({
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {
                    "name": format!("{}-{index}", self.id.to_ascii_lowercase()),
                    "namespace": "default",
                    "creationTimestamp": format!("2026-01-01T00:00:{index:02}Z"),
                    "annotations": annotations,
                },
                "spec": {"ingressClassName": "nginx", "tls": tls, "rules": [{"host": host, "http": {"paths": paths}}]},
            })
            .to_string()
        };
        self.ingresses.iter().enumerate().map(manifest).collect()
    }
}

fn path_of(text: &str) -> Value {
    let words: Vec<&str> = text.split(' ').collect();
    let service = words.get(2).copied().unwrap_or("a");
    json!({
        "pathType": words[0],
        "path": words[1],
        "backend": {"service": {"name": service, "port": {"number": 80}}},
    })
}

impl Request {
    /// The host and port that the client writes.
    pub(super) fn authority(&self, row: &Row) -> String {
        row.filled(self.host.as_deref().unwrap_or("{host}"))
    }

    /// Which Services and statuses have another share of the requests than expected.
    pub(super) fn wrong_shares(&self, answers: &[Answer]) -> impl Iterator<Item = String> {
        let statuses = self.statuses.iter().filter_map(|(status, [min, max])| {
            let count = answers.iter().filter(|answer| answer.status == *status).count();
            (!(*min..=*max).contains(&count)).then(|| format!("{count} are {status} and not {min} to {max}"))
        });
        let shares = self.shares.iter().filter_map(|(service, [min, max])| {
            let of_service = |answer: &&Answer| answer.seen.as_ref().is_some_and(|seen| seen.service == *service);
            let count = answers.iter().filter(of_service).count();
            (!(*min..=*max).contains(&count)).then(|| format!("{count} come to {service} and not {min} to {max}"))
        });
        statuses.chain(shares)
    }

    /// What of the answer is not as expected.
    pub(super) fn differences(&self, row: &Row, answer: &Answer) -> impl Iterator<Item = String> {
        let mut wrong = Vec::new();
        let mut compare = |what: &str, expected: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| {
            let (expected, found) = (format!("{expected:?}"), format!("{found:?}"));
            if expected != found {
                wrong.push(format!("{what} is {found} and not {expected}"));
            }
        };
        if self.statuses.is_empty() {
            compare("status", &self.status, &answer.status);
        }
        for (name, expected) in &self.answer_headers {
            compare(name, &expected.as_ref().map(|text| row.filled(text)), &answer.header(name));
        }
        let seen = answer.seen.clone().unwrap_or_default();
        if let Some(service) = &self.service {
            compare("Service", service, &seen.service);
        }
        if let Some(target) = &self.target {
            compare("target", target, &seen.target);
        }
        for (name, expected) in &self.request_headers {
            compare(name, &expected.as_ref().map(|text| row.filled(text)), &seen.headers.get(name));
        }
        wrong.into_iter()
    }
}
