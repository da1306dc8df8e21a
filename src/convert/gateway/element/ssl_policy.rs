//! `sslPolicy`: what is offered of it is carried over, and the rest is reported by name.

use rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;

use super::Conversion;
use crate::convert::report::Outcome;
use crate::convert::yaml::{Yaml, YamlField};

/// Versions of TLS that are not offered.
const OLD_VERSIONS: &[&str] = &["TLSv1_0", "TLSv1_1"];

/// Predefined policies that begin with an old version.
const OLD_POLICIES: &[&str] = &["AppGwSslPolicy20150501", "AppGwSslPolicy20170401"];

impl Conversion<'_> {
    /// A policy without the cipher suites that are not offered. Where none is left, there is no policy: the default asks for more than it did.
    pub(super) fn offered(&mut self, mut policy: Vec<YamlField>, path: &str) -> Vec<YamlField> {
        for field in &policy {
            let old = match field.name.as_str() {
                "minProtocolVersion" => OLD_VERSIONS,
                "policyName" => OLD_POLICIES,
                _ => continue,
            };
            if let Some(text) = field.value.as_text().filter(|text| old.contains(text)) {
                let message = format!("{text} allows TLS below 1.2, which is not offered");
                self.report.add(Outcome::Note, (self.label, path), message, "see whether a client needs it");
            }
        }
        let Some(suites) = policy.iter_mut().find(|field| field.name == "cipherSuites") else { return policy };
        let Yaml::List(names) = &mut suites.value else { return policy };
        names.retain(|name| {
            let Some(name) = name.as_text().filter(|name| !is_offered(name)) else { return true };
            let message = format!("the cipher suite {name} is not offered");
            self.report.add(Outcome::LeftOut, (self.label, path), message, "see whether a client needs it");
            false
        });
        if names.is_empty() {
            let message = "none of its cipher suites is offered, so the gateway's own are used";
            self.report.add(Outcome::LeftOut, (self.label, path), message, "");
            return Vec::new();
        }
        policy
    }
}

/// Whether a cipher suite is offered, by its name in the registry of IANA.
fn is_offered(name: &str) -> bool {
    ALL_CIPHER_SUITES
        .iter()
        .filter_map(|suite| suite.suite().as_str())
        .any(|known| known.replace("TLS13_", "TLS_") == name)
}
