//! An Ingress in few bytes: there may be very many, and each is read once a version.

use k8s_openapi::api::networking::v1::{Ingress, IngressLoadBalancerIngress};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// An Ingress as a snapshot has it.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(from = "Ingress")]
pub struct PackedIngress {
    /// JSON, with a byte for each of the [`COMMON`] texts.
    text: Box<[u8]>,
    status: Option<Box<Status>>,
}

/// By what writes to an object, and about it, know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    /// `metadata.uid`: an object made anew under the same name is another.
    pub(crate) uid: Option<String>,
    /// `metadata.resourceVersion`.
    pub(crate) resource_version: Option<String>,
}

impl From<&ObjectMeta> for Identity {
    fn from(ObjectMeta { uid, resource_version, .. }: &ObjectMeta) -> Self {
        Self { uid: uid.clone(), resource_version: resource_version.clone() }
    }
}

#[derive(Default, Deserialize)]
struct Named {
    #[serde(default)]
    metadata: Identity,
}

/// What plans of statuses look at in all Ingresses, again and again.
#[derive(Debug, Clone, PartialEq)]
struct Status {
    /// `status.loadBalancer.ingress`
    shown: Box<[IngressLoadBalancerIngress]>,
    /// Who has written of the status.
    managers: Box<[Box<str>]>,
}

/// What many Ingresses have in them. The byte of each is one that no JSON has: control characters are escaped there.
const COMMON: [&str; 32] = [
    r#"{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"#,
    r#""annotations":{""#,
    r#"},"creationTimestamp":""#,
    r#"Z","generation":"#,
    r#","labels":{""#,
    r#""},"managedFields":[{"manager":""#,
    r#"","operation":"Apply","subresource":"status"}]"#,
    r#""},"name":""#,
    r#"","namespace":""#,
    r#"","resourceVersion":""#,
    r#"","uid":""#,
    r#""},"spec":{"#,
    r#""ingressClassName":""#,
    r#""rules":[{"host":""#,
    r#"","http":{"paths":[{"backend":{"service":{"name":""#,
    r#","http":{"paths":[{"backend":{"service":{"name":""#,
    r#"{"backend":{"service":{"name":""#,
    r#"","port":{"name":""#,
    r#"","port":{"number":"#,
    r#"}}},"path":""#,
    r#"","pathType":"Prefix"}"#,
    r#"","pathType":"Exact"}"#,
    r#"","pathType":"ImplementationSpecific"}"#,
    r#"],"tls":[{"hosts":[""#,
    r#"],"secretName":""#,
    r#""status":{"loadBalancer":{"ingress":[{""#,
    r#"nginx.ingress.kubernetes.io/"#,
    r#"appgw.ingress.kubernetes.io/"#,
    r#"steadygate.io/websocket-"#,
    r#"app.kubernetes.io/"#,
    r#"cert-manager.io/"#,
    r#"meta.helm.sh/release-name"#,
];

/// For each byte those of them that begin with it, a bit each.
const STARTS: [u32; 256] = {
    let mut starts = [0; 256];
    let mut index = 0;
    while index < COMMON.len() {
        starts[COMMON[index].as_bytes()[0] as usize] |= 1 << index;
        index += 1;
    }
    starts
};

/// The first of them that a text begins with, and what comes after it.
fn common(text: &[u8]) -> Option<(u8, &[u8])> {
    let starts = STARTS[usize::from(*text.first()?)];
    let mut codes = (0u8..).zip(COMMON).filter(|(code, _)| starts >> code & 1 == 1);
    codes.find_map(|(code, common)| Some((code, text.strip_prefix(common.as_bytes())?)))
}

/// The beginning of the year 0.
const YEAR_0: Timestamp = Timestamp::constant(-62_167_219_200, 0);

impl From<Ingress> for PackedIngress {
    /// Times are kept as an API server keeps them: to the second, and none from before the year 0.
    fn from(mut ingress: Ingress) -> Self {
        let metadata = &mut ingress.metadata;
        let times = [&mut metadata.creation_timestamp, &mut metadata.deletion_timestamp];
        times.into_iter().flatten().for_each(|time| time.0 = time.0.max(YEAR_0));
        for entry in metadata.managed_fields.iter_mut().flatten() {
            (entry.time, entry.fields_v1) = (None, None);
        }
        // What is left can be written, and read again.
        let json = serde_json::to_vec(&ingress).unwrap_or_default();
        let mut text = Vec::with_capacity(json.len());
        let mut rest = json.as_slice();
        while let Some((byte, after)) = rest.split_first() {
            let (code, after) = common(rest).unwrap_or((*byte, after));
            text.push(code);
            rest = after;
        }
        Self { text: text.into(), status: Status::of(ingress) }
    }
}

impl PackedIngress {
    /// The Ingress in full.
    pub fn unpack(&self) -> Ingress {
        self.read()
    }

    /// By what its writes know it; in less time.
    pub(crate) fn identity(&self) -> Identity {
        let Named { metadata } = self.read();
        metadata
    }

    fn read<T: DeserializeOwned + Default>(&self) -> T {
        let mut json = Vec::with_capacity(self.text.len() * 4);
        for byte in &self.text {
            match COMMON.get(usize::from(*byte)) {
                Some(common) => json.extend_from_slice(common.as_bytes()),
                None => json.push(*byte),
            }
        }
        serde_json::from_slice(&json).unwrap_or_default()
    }

    /// The addresses that its status shows.
    pub(crate) fn shown(&self) -> &[IngressLoadBalancerIngress] {
        self.status.as_ref().map_or(&[], |status| &status.shown)
    }

    /// Whether this manager has written of its status.
    pub(crate) fn is_managed_by(&self, manager: &str) -> bool {
        self.status.iter().flat_map(|status| &status.managers).any(|known| **known == *manager)
    }
}

impl Status {
    /// That of most Ingresses has nothing in it.
    fn of(ingress: Ingress) -> Option<Box<Self>> {
        let entries = ingress.metadata.managed_fields.into_iter().flatten();
        let entries = entries.filter(|entry| entry.subresource.as_deref() == Some("status"));
        let managers: Box<[_]> = entries.filter_map(|entry| entry.manager.map(Into::into)).collect();
        let balancer = ingress.status.and_then(|status| status.load_balancer);
        let shown = balancer.and_then(|balancer| balancer.ingress).unwrap_or_default();
        let is_any = !managers.is_empty() || !shown.is_empty();
        is_any.then(|| Box::new(Self { shown: shown.into(), managers }))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::*;

    fn ingress(document: serde_json::Value) -> Ingress {
        serde_json::from_value(document).expect("an Ingress")
    }

    #[test]
    fn what_is_packed_is_unpacked_the_same() {
        let path = |path_type| {
            json!({"path": "/a\u{1}\u{1f}ü\\\"", "pathType": path_type,
                "backend": {"service": {"name": "chat", "port": {"name": "http", "number": 80}}}})
        };
        let paths: Vec<_> = ["Prefix", "Exact", "ImplementationSpecific", "Other"].map(path).into();
        let whole = ingress(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {
                "annotations": {"nginx.ingress.kubernetes.io/x": COMMON[0], "\u{0}": ""}, "labels": {"a": "b"},
                "creationTimestamp": "2024-02-29T12:00:01Z", "deletionTimestamp": "2024-02-29T12:00:02Z", "generation": 7,
                "name": "a", "namespace": "b", "uid": "u", "resourceVersion": "12",
                "managedFields": [{"manager": "m", "operation": "Apply", "subresource": "status"}],
            },
            "spec": {
                "ingressClassName": "c", "rules": [{"host": "a.example", "http": {"paths": paths}}, {"host": "b.example"}],
                "tls": [{"hosts": ["a.example"], "secretName": "s"}, {"hosts": []}],
                "defaultBackend": {"resource": {"kind": "k", "name": "n"}},
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ports": [{"port": 80, "protocol": "TCP"}]}]}},
        }));
        for ingress in [Ingress::default(), whole] {
            let packed = PackedIngress::from(ingress.clone());
            assert_eq!(packed.unpack(), ingress);
            assert_eq!(packed.identity(), Identity::from(&ingress.metadata));
            assert!(packed == PackedIngress::from(ingress));
        }
    }

    #[test]
    fn a_plain_ingress_takes_little() {
        let packed = PackedIngress::from(ingress(json!({
            "metadata": {"name": "chat", "namespace": "default",
                "annotations": {"steadygate.io/websocket-idle-timeout": "0"}},
            "spec": {"rules": [{"host": "chat.example.com", "http": {"paths": [{"path": "/ws", "pathType": "Prefix",
                "backend": {"service": {"name": "chat", "port": {"name": "http"}}}}]}}]},
        })));
        assert!(packed.text.len() < 100, "{}", packed.text.escape_ascii());
    }

    #[test]
    fn a_strange_time_costs_no_more_than_itself() {
        for (written, kept) in [
            ("-000009-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("0009-01-01T00:00:00.5Z", "0009-01-01T00:00:00Z"),
            ("9999-12-30T22:00:00Z", "9999-12-30T22:00:00Z"),
        ] {
            let time = |text: &str| Some(Time(text.parse().expect("a time")));
            let mut old = Ingress::default();
            old.metadata.name = Some("a".to_owned());
            old.metadata.creation_timestamp = time(written);
            let metadata = PackedIngress::from(old).unpack().metadata;
            assert_eq!((metadata.name.as_deref(), metadata.creation_timestamp), (Some("a"), time(kept)));
        }
    }
}
