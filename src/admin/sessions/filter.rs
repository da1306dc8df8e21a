//! Filters of sessions: a session matches if every field that is given does.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::model::RouteId;

/// A filter of sessions. A field that is not given matches every session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    object: Option<String>,
    route: Option<String>,
    pool: Option<String>,
    pod: Option<Pod>,
    client: Option<IpNet>,
    id: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pod {
    /// `namespace/name`.
    Name(String),
    Address(IpAddr),
}

/// The properties of a session that a filter compares.
#[derive(Debug, Clone)]
pub(super) struct Facts<'a> {
    pub(super) id: u64,
    /// Compared by what it displays: the owner is the object (`Ingress default/site`, or `default/site`), the identity is the route.
    pub(super) route: RouteId,
    pub(super) pool: &'a str,
    pub(super) member: SocketAddr,
    /// `Pod default/chat-7d9f`
    pub(super) pod: Option<&'a str>,
    pub(super) client: IpAddr,
}

impl Filter {
    /// The names of the fields in queries and bodies.
    pub(super) const FIELDS: &'static str = "object, route, pool, pod, client and id";

    /// Parses a query: `object=…&client=…`.
    pub(super) fn of_query(query: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value =
                decode(value).ok_or_else(|| format!("{name} {value:?} is not percent-encoded UTF-8: encode it"))?;
            filter.set(name, &value)?;
        }
        Ok(filter)
    }

    /// Sets one field.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Err(format!("{name} is empty: leave it out, or say what is meant"));
        }
        let given = match name {
            "object" => self.object.replace(value.to_owned()).is_some(),
            "route" => self.route.replace(value.to_owned()).is_some(),
            "pool" => self.pool.replace(value.to_owned()).is_some(),
            "pod" => self.pod.replace(pod(value)?).is_some(),
            "client" => self.client.replace(client(value)?).is_some(),
            "id" => {
                let id = value.parse().map_err(|_| format!("id {value:?} is not a number: take it from the list"))?;
                self.id.replace(id).is_some()
            }
            _ => return Err(format!("there is no field {name:?}: there are {}", Self::FIELDS)),
        };
        if given { Err(format!("{name} is given twice, now as {value:?}: give it once")) } else { Ok(()) }
    }

    /// Whether no field is given.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a session matches.
    pub(super) fn matches(&self, session: &Facts<'_>) -> bool {
        let object = |object: &String| {
            let RouteId { owner, .. } = &session.route;
            owner.to_string() == *object || owner.key.to_string() == *object
        };
        let route = |route: &String| session.route.to_string() == *route;
        let pool = |pool: &String| {
            let rest = session.pool.strip_prefix(pool.as_str());
            rest.is_some_and(|rest| rest.is_empty() || pool.contains('/') && rest.starts_with([':', ' ', '/']))
        };
        let pod = |pod: &Pod| match pod {
            Pod::Name(name) => session.pod.is_some_and(|pod| pod.strip_prefix("Pod ").unwrap_or(pod) == name),
            Pod::Address(address) => session.member.ip().to_canonical() == *address,
        };
        self.object.as_ref().is_none_or(object)
            && self.route.as_ref().is_none_or(route)
            && self.pool.as_ref().is_none_or(pool)
            && self.pod.as_ref().is_none_or(pod)
            && self.client.is_none_or(|client| client.contains(&session.client.to_canonical()))
            && self.id.is_none_or(|id| id == session.id)
    }
}

fn pod(text: &str) -> Result<Pod, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Pod::Address(address.to_canonical()));
    }
    let name = text.strip_prefix("Pod ").unwrap_or(text);
    match name.split_once('/') {
        Some((namespace, short)) if !namespace.is_empty() && !short.is_empty() => Ok(Pod::Name(name.to_owned())),
        _ => Err(format!(
            "pod {text:?} is neither NAMESPACE/NAME nor an IP address: write default/chat-7d9f or 10.0.0.7"
        )),
    }
}

fn client(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address
        .or_else(|_| text.parse())
        .map(canonical)
        .map_err(|_| format!("client {text:?} is neither an IP address nor a CIDR: write 192.0.2.7 or 192.0.2.0/24"))
}

/// The IPv4 network of a network of IPv4-mapped addresses (RFC 4291 section 2.5.5.2).
fn canonical(network: IpNet) -> IpNet {
    match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (IpAddr::V4(address), Some(length)) if network.addr().is_ipv6() => {
            ipnet::Ipv4Net::new(address, length).map_or(network, IpNet::from)
        }
        _ => network,
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pod = self.pod.as_ref().map(|pod| match pod {
            Pod::Name(name) => name.clone(),
            Pod::Address(address) => address.to_string(),
        });
        let client = self.client.map(|client| client.to_string());
        let id = self.id.map(|id| id.to_string());
        let fields = [
            ("object", self.object.as_ref()),
            ("route", self.route.as_ref()),
            ("pool", self.pool.as_ref()),
            ("pod", pod.as_ref()),
            ("client", client.as_ref()),
            ("id", id.as_ref()),
        ];
        let given: Vec<_> =
            fields.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}"))).collect();
        f.write_str(if given.is_empty() { "all" } else { "" })?;
        f.write_str(&given.join(" "))
    }
}

/// Percent-encodes a text as a value of a query.
pub fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/' | b':');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
                rest = &rest[2..];
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{HostPattern, Kind, ObjectRef, PathMatch};

    const ROUTE_ID: &str = "Ingress default/site chat.example.com /ws";

    fn facts() -> Facts<'static> {
        Facts {
            id: 7,
            route: RouteId {
                owner: Arc::new(ObjectRef::new(Kind::Ingress, "default", "site")),
                host: HostPattern::ingress("chat.example.com").expect("a host"),
                matches: PathMatch::prefix("/ws").expect("a path").into(),
            },
            pool: "default/chat:http (Ingress default/site)",
            member: "10.0.0.7:8080".parse().expect("an address"),
            pod: Some("Pod default/chat-7d9f"),
            client: "::ffff:192.0.2.7".parse().expect("an address"),
        }
    }

    #[test]
    fn a_session_is_chosen_by_each_of_its_names_and_by_no_part_of_them() {
        for (query, expected) in [
            ("", true),
            ("object=Ingress+default/site", true),
            ("object=default%2Fsite", true),
            (&format!("route={}", encode(ROUTE_ID)), true),
            ("object=default/si", false),
            ("object=site", false),
            ("route=default/site", false),
            ("pool=default/chat", true),
            ("pool=default/chat:http", true),
            ("pool=default/chat:http%20(Ingress%20default/site)", true),
            ("pool=default/ch", false),
            ("pool=default", false),
            ("pod=default/chat-7d9f", true),
            ("pod=Pod+default/chat-7d9f", true),
            ("pod=default/chat-7d9", false),
            ("pod=10.0.0.7", true),
            ("pod=10.0.0.70", false),
            ("client=192.0.2.7", true),
            ("client=192.0.2.0/24", true),
            ("client=192.0.2.8/31", false),
            ("client=::ffff:192.0.2.7", true),
            ("client=::ffff:192.0.2.0/120", true),
            ("client=::ffff:192.0.3.0/120", false),
            ("client=::/0", false),
            ("id=7", true),
            ("id=70", false),
            ("id=7&client=192.0.3.0/24", false),
            ("id=7&client=192.0.2.0/24&pod=10.0.0.7", true),
        ] {
            let filter = Filter::of_query(query).expect(query);
            assert_eq!(filter.matches(&facts()), expected, "{query}");
        }
        let gone = Facts { pod: None, ..facts() };
        assert!(!Filter::of_query("pod=default/chat-7d9f").expect("valid").matches(&gone));
        let gateway = Facts { pool: "servers/settings (ApplicationGateway default/edge)", ..facts() };
        assert!(Filter::of_query("pool=servers/settings").expect("valid").matches(&gateway));
    }

    #[test]
    fn what_is_no_filter_is_refused_by_its_field_and_value() {
        for (query, field, value) in [
            ("client=web", "client", "web"),
            ("client=192.0.2.0/99", "client", "192.0.2.0/99"),
            ("pod=chat", "pod", "chat"),
            ("pod=/chat", "pod", "/chat"),
            ("id=seven", "id", "seven"),
            ("id=-1", "id", "-1"),
            ("route=%zz", "route", "%zz"),
            ("route=%ff", "route", "%ff"),
            ("route=%f", "route", "%f"),
            ("route=", "route", "empty"),
            ("route", "route", "empty"),
            ("id=1&id=2", "id", "2"),
            ("objekt=default/site", "objekt", "object"),
        ] {
            let why = Filter::of_query(query).expect_err(query);
            assert!(why.contains(field) && why.contains(value) && why.contains(": "), "{query}: {why}");
        }
    }

    #[test]
    fn a_value_survives_the_query() {
        for text in ["Ingress default/site *.example.com ~ /a+b*", "100 %&=é", ""] {
            assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        }
    }

    #[test]
    fn the_log_says_what_was_asked_for() {
        let filter = Filter::of_query("client=192.0.2.7&id=7&pod=default/chat-7d9f").expect("valid");
        assert_eq!(filter.to_string(), "pod=default/chat-7d9f client=192.0.2.7/32 id=7");
        assert_eq!(Filter::default().to_string(), "all");
    }
}
