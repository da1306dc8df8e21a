//! What a gateway that was converted will not do, seen as a whole: pools without members, listeners without a rule, listeners in conflict.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::convert::report::{ConversionReport, Outcome};
use crate::convert::yaml::Yaml;

/// The listener that has a port and a host first, over all gateways of a document.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    first: BTreeMap<(String, String), String>,
}

/// Adds to the report what the elements say in view of each other.
pub(super) fn review(spec: &Yaml, gateway: &str, listeners: &mut Listeners, report: &mut ConversionReport) {
    let mut review = Review { spec, gateway, report };
    review.pools();
    review.listeners("httpListeners", "requestRoutingRules", "httpListener");
    review.listeners("listeners", "routingRules", "listener");
    review.conflicts(listeners);
    review.rewrites();
}

struct Review<'a> {
    spec: &'a Yaml,
    gateway: &'a str,
    report: &'a mut ConversionReport,
}

impl<'a> Review<'a> {
    fn elements(&self, collection: &str) -> &'a [Yaml] {
        self.spec.field(collection).map_or(&[], Yaml::items)
    }

    fn add(&mut self, outcome: Outcome, property: &str, message: String, remedy: &str) {
        self.report.add(outcome, (self.gateway, property), message, remedy);
    }

    fn pools(&mut self) {
        for (index, pool) in self.elements("backendAddressPools").iter().enumerate() {
            let is_empty = pool.field("backendAddresses").is_none_or(|addresses| *addresses == Yaml::List(Vec::new()));
            if is_empty && matches!(pool, Yaml::Map(_)) {
                let message = "it has no addresses, so its requests get 503".to_owned();
                let remedy = "write backendAddresses, or a serviceRef where a Service takes their place";
                self.add(Outcome::Note, &place("backendAddressPools", index, pool), message, remedy);
            }
        }
    }

    /// Reports listeners without a rule.
    fn listeners(&mut self, collection: &str, rules: &str, field: &str) {
        let named: Vec<_> = self.elements(rules).iter().filter_map(|rule| referred(rule, field)).collect();
        let is_open = self.spec.field(rules).is_some_and(Yaml::is_open);
        for (index, listener) in self.elements(collection).iter().enumerate() {
            let Some(name) = name(listener) else { continue };
            if !named.contains(&name) && !is_open {
                let message = "no rule names it, so it serves nothing".to_owned();
                self.add(Outcome::Note, &place(collection, index, listener), message, "add a rule, or remove it");
            }
        }
    }

    /// Reports listeners that have the same port and host. One of them would be served, and the other one would not.
    fn conflicts(&mut self, listeners: &mut Listeners) {
        let ports: BTreeMap<_, _> =
            self.elements("frontendPorts").iter().filter_map(|port| Some((name(port)?, port.field("port")?))).collect();
        for (index, listener) in self.elements("httpListeners").iter().enumerate() {
            let Some(Yaml::Number(port)) = referred(listener, "frontendPort").and_then(|port| ports.get(port)) else {
                continue;
            };
            let place = place("httpListeners", index, listener);
            for host in hosts(listener) {
                let shown = if host.is_empty() { "any host".to_owned() } else { format!("host {host}") };
                match listeners.first.entry((port.to_string(), host)) {
                    Entry::Occupied(first) => {
                        let message = format!(
                            "it is for {shown} on port {port}, as {} is, so only that one is served",
                            first.get()
                        );
                        self.add(Outcome::Open, &place, message, "give one of the two another host or port");
                    }
                    Entry::Vacant(free) => drop(free.insert(format!("{}: {place}", self.gateway))),
                }
            }
        }
    }

    /// Reports rewrites that ask for a variable that there is not, or for a path that is none.
    fn rewrites(&mut self) {
        for (index, set) in self.elements("rewriteRuleSets").iter().enumerate() {
            let place = place("rewriteRuleSets", index, set);
            for (index, rule) in set.field("rewriteRules").map_or(&[][..], Yaml::items).iter().enumerate() {
                let place = format!("{place}.rewriteRules[{index}]");
                let conditions = rule.field("conditions").map_or(&[][..], Yaml::items);
                let variables = conditions.iter().filter_map(|condition| condition.field("variable")?.as_text());
                let known = |name: &&str| {
                    ["var_", "http_req_", "http_resp_"]
                        .iter()
                        .any(|prefix| name.to_ascii_lowercase().starts_with(prefix))
                };
                let unknown: Vec<_> = variables.filter(|name| !known(name)).collect();
                for name in unknown {
                    let message =
                        format!("the condition is on {name:?}, which is no variable, so the rule does nothing");
                    self.add(Outcome::Open, &place, message, "write var_…, http_req_… or http_resp_…");
                }
                let path = rule
                    .field("actionSet")
                    .and_then(|set| set.field("urlConfiguration")?.field("modifiedPath")?.as_text());
                if let Some(path) = path.filter(|path| !path.starts_with(['/', '{'])) {
                    let message = format!("modifiedPath {path:?} is no path, so the rule does nothing");
                    self.add(Outcome::Open, &place, message, "begin it with '/'");
                }
            }
        }
    }
}

/// The hosts of a listener that are known; one empty text where it is for any host.
fn hosts(listener: &Yaml) -> Vec<String> {
    let one = listener.field("hostName");
    let several = listener.field("hostNames").map_or(&[][..], Yaml::items);
    let texts = one.into_iter().chain(several).filter_map(Yaml::as_text).map(str::to_ascii_lowercase).collect();
    let is_named = one.is_some() || !several.is_empty() || listener.field("hostNames").is_some_and(Yaml::is_open);
    if is_named { texts } else { vec![String::new()] }
}

fn name(element: &Yaml) -> Option<&str> {
    element.field("name")?.as_text()
}

fn referred<'a>(element: &'a Yaml, field: &str) -> Option<&'a str> {
    name(element.field(field)?)
}

fn place(collection: &str, index: usize, element: &Yaml) -> String {
    match name(element) {
        Some(name) => format!("{collection}[{index}] {name:?}"),
        None => format!("{collection}[{index}]"),
    }
}
