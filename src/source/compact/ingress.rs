//! An Ingress in few bytes: there may be very many, and each is read once a version.

use k8s_openapi::api::networking::v1::{Ingress, IngressLoadBalancerIngress};
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::json;
use crate::source::identity::Identity;

/// An Ingress as a snapshot has it.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(from = "Ingress")]
pub struct PackedIngress {
    contents: Contents,
    status: Option<Box<Status>>,
}

/// All of an Ingress.
#[derive(Clone, PartialEq)]
enum Contents {
    /// Its JSON, packed.
    Packed(Box<[u8]>),
    /// As it came, where it can't be packed. No such Ingress is known.
    Plain(Box<Ingress>),
}

/// The fields that a plan of statuses reads in every Ingress, again and again. They are therefore kept beside the packed text.
#[derive(Debug, Clone, PartialEq)]
struct Status {
    /// `status.loadBalancer.ingress`
    addresses: Box<[IngressLoadBalancerIngress]>,
    /// Names of those who have written to the status (`metadata.managedFields`).
    managers: Box<[Box<str>]>,
}

/// The metadata of an Ingress, as far as writes to it need them.
#[derive(Deserialize)]
struct IdentityOnly {
    #[serde(default)]
    metadata: Identity,
}

/// The beginning of the year 0.
const YEAR_0: Timestamp = Timestamp::constant(-62_167_219_200, 0);

impl From<Ingress> for PackedIngress {
    /// Times are kept as an API server keeps them: to the second, and none from before the year 0.
    fn from(mut ingress: Ingress) -> Self {
        let metadata = &mut ingress.metadata;
        let times = [&mut metadata.creation_timestamp, &mut metadata.deletion_timestamp];
        times.into_iter().flatten().for_each(|time| time.0 = whole_seconds(time.0.max(YEAR_0)));
        for entry in metadata.managed_fields.iter_mut().flatten() {
            (entry.time, entry.fields_v1) = (None, None);
        }
        let Some(packed) = pack(&ingress) else {
            let status = Status::of(ingress.clone());
            return Self { contents: Contents::Plain(Box::new(ingress)), status };
        };
        // In release builds this is not looked at, for it would cost as much again as reading the Ingress. It always holds:
        // all fields of an Ingress but its times are texts, numbers, lists and maps, and its times are written in full.
        debug_assert!(read::<Ingress>(&packed) == ingress, "an Ingress is not the same once it was packed");
        Self { contents: Contents::Packed(packed), status: Status::of(ingress) }
    }
}

impl PackedIngress {
    /// The Ingress in full.
    pub fn unpack(&self) -> Ingress {
        match &self.contents {
            Contents::Packed(packed) => read(packed),
            Contents::Plain(ingress) => Ingress::clone(ingress),
        }
    }

    /// Its identity. Takes less time than to unpack all of it.
    pub(crate) fn identity(&self) -> Identity {
        match &self.contents {
            Contents::Packed(packed) => read::<IdentityOnly>(packed).metadata,
            Contents::Plain(ingress) => Identity::from(&ingress.metadata),
        }
    }

    /// The addresses in its status.
    pub(crate) fn addresses(&self) -> &[IngressLoadBalancerIngress] {
        self.status.as_ref().map_or(&[], |status| &status.addresses)
    }

    /// Whether this manager has written to its status.
    pub(crate) fn is_managed_by(&self, manager: &str) -> bool {
        self.status.iter().flat_map(|status| &status.managers).any(|known| **known == *manager)
    }
}

impl Status {
    /// `None` for most Ingresses before their status is written.
    fn of(ingress: Ingress) -> Option<Box<Self>> {
        let entries = ingress.metadata.managed_fields.into_iter().flatten();
        let entries = entries.filter(|entry| entry.subresource.as_deref() == Some("status"));
        let managers: Box<[_]> = entries.filter_map(|entry| entry.manager.map(Into::into)).collect();
        let balancer = ingress.status.and_then(|status| status.load_balancer);
        let addresses = balancer.and_then(|balancer| balancer.ingress).unwrap_or_default();
        let is_any = !managers.is_empty() || !addresses.is_empty();
        is_any.then(|| Box::new(Self { addresses: addresses.into(), managers }))
    }
}

/// A time without its fraction of a second.
fn whole_seconds(time: Timestamp) -> Timestamp {
    // Rounded down also before 1970, as the fraction of a written time is cut off.
    let second = time.as_second() - i64::from(time.subsec_nanosecond() < 0);
    Timestamp::from_second(second).unwrap_or(time)
}

/// The packed JSON of an Ingress; `None` where it can't be written or packed.
fn pack(ingress: &Ingress) -> Option<Box<[u8]>> {
    json::pack(&serde_json::to_vec(ingress).ok()?)
}

/// Reads a packed Ingress, or a part of it.
fn read<T: DeserializeOwned>(packed: &[u8]) -> T {
    serde_json::from_slice(&json::unpack(packed))
        .expect("the JSON that was written of an Ingress is that of an Ingress")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json as document;

    use super::*;

    fn ingress(document: serde_json::Value) -> Ingress {
        serde_json::from_value(document).expect("an Ingress")
    }

    #[test]
    fn what_is_packed_is_unpacked_the_same() {
        let path = |path_type| {
            document!({"path": "/a\u{1}\u{1f}ü\\\"", "pathType": path_type,
                "backend": {"service": {"name": "chat", "port": {"name": "http", "number": 80}}}})
        };
        let paths: Vec<_> = ["Prefix", "Exact", "ImplementationSpecific", "Other"].map(path).into();
        let whole = ingress(document!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {
                "annotations": {"nginx.ingress.kubernetes.io/x": json::COMMON[0], "\u{0}": ""}, "labels": {"a": "b"},
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
        let packed = PackedIngress::from(ingress(document!({
            "metadata": {"name": "chat", "namespace": "default",
                "annotations": {"steadygate.io/websocket-idle-timeout": "0"}},
            "spec": {"rules": [{"host": "chat.example.com", "http": {"paths": [{"path": "/ws", "pathType": "Prefix",
                "backend": {"service": {"name": "chat", "port": {"name": "http"}}}}]}}]},
        })));
        let Contents::Packed(text) = &packed.contents else { panic!("it is not packed") };
        assert!(text.len() < 100, "{}", text.escape_ascii());
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

    #[test]
    fn what_can_not_be_packed_is_kept_as_it_came() {
        let mut plain = Ingress::default();
        plain.metadata.uid = Some("u".to_owned());
        let packed = PackedIngress { contents: Contents::Plain(Box::new(plain.clone())), status: None };
        assert_eq!(packed.identity(), Identity::from(&plain.metadata));
        assert_eq!(packed.unpack(), plain);
    }

    /// One word less or more in each of many Ingresses counts.
    #[test]
    fn a_packed_ingress_is_three_words() {
        assert_eq!(size_of::<PackedIngress>(), 3 * size_of::<usize>());
    }

    proptest::proptest! {
        #[test]
        fn any_ingress_is_unpacked_as_it_was(
            second in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(),
            nanosecond in 0..1_000_000_000i32,
            texts in proptest::collection::vec("[\\u{0}-\\u{ff}😀]{0,12}", 4),
        ) {
            let time = Timestamp::new(second, nanosecond).ok().map(Time);
            let [name, annotation, host, path] = &texts[..] else { panic!("four texts") };
            let mut whole = ingress(document!({
                "metadata": {"name": name, "annotations": {annotation: name, name: path}},
                "spec": {"rules": [{"host": host, "http": {"paths": [{"path": path, "pathType": name,
                    "backend": {"service": {"name": host, "port": {"number": nanosecond}}}}]}}]},
            }));
            (whole.metadata.creation_timestamp, whole.metadata.deletion_timestamp) = (time.clone(), time);
            // That it is the same is asserted where it is packed, times but for their fraction.
            let unpacked = PackedIngress::from(whole.clone()).unpack();
            proptest::prop_assert_eq!(&unpacked.spec, &whole.spec);
            proptest::prop_assert_eq!(&unpacked.metadata.annotations, &whole.metadata.annotations);
        }
    }
}
