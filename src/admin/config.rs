//! The configuration that is served, as JSON. Key material is redacted by its type.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use aws_lc_rs::digest::{SHA256, digest};
use imbl::OrdSet;
use serde::{Deserialize, Serialize};

use crate::controller::Published;
use crate::model::{Model, SecretBytes, Transport};
use crate::pool::Registry;
use crate::report::Report;

#[derive(Serialize)]
struct ConfigDump<'a> {
    generation: u64,
    swaps: u64,
    addresses: &'a BTreeMap<u16, SocketAddr>,
    unopened: &'a BTreeMap<u16, String>,
    reports: &'a OrdSet<Report>,
    pools: BTreeMap<String, Vec<DumpedMember>>,
    model: &'a Model,
    fingerprints: Fingerprints,
    options: TranslationOptions<'a>,
}

/// Fingerprints of public data that is left out of the dump, so that two dumps can be compared: SHA-256 in hexadecimal digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints {
    /// Of each certificate's chain.
    pub certificates: BTreeMap<String, String>,
    /// Of the roots that each pool trusts, where it names any.
    pub trusted_roots: BTreeMap<String, String>,
}

impl Fingerprints {
    /// The fingerprints of a model.
    pub fn of(model: &Model) -> Self {
        let print = |parts: &[SecretBytes]| {
            let bytes: Vec<u8> = parts.iter().flat_map(SecretBytes::expose).copied().collect();
            digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let certificates = model.certificates.iter().map(|(id, certificate)| (id.0.clone(), print(&certificate.chain)));
        let trusted_roots = model.pools.iter().filter_map(|(id, pool)| match &pool.transport {
            Transport::Https(tls) => Some((id.0.to_string(), print(std::slice::from_ref(tls.trusted_roots.as_ref()?)))),
            Transport::Http => None,
        });
        Self { certificates: certificates.collect(), trusted_roots: trusted_roots.collect() }
    }
}

/// The options of translation.
#[derive(Serialize)]
struct TranslationOptions<'a> {
    controller: &'a str,
    serve_controllers: &'a [String],
    everything_without_class: bool,
    strict_tenancy: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_certificate: Option<String>,
    external_names: bool,
    cluster_domain: &'a str,
}

#[derive(Serialize)]
struct DumpedMember {
    address: SocketAddr,
    /// The DNS name that resolved to the address, if the endpoint has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    endpoint: &'static str,
    health: &'static str,
    standing: &'static str,
    last_probe: Option<String>,
    in_progress: usize,
    sessions: usize,
}

/// The configuration that is served, as JSON.
pub(super) fn dump(
    published: &Published,
    addresses: &BTreeMap<u16, SocketAddr>,
    pools: &Registry,
) -> serde_json::Result<String> {
    let members = |pool: &crate::pool::Pool| {
        let members = pool.standings().into_iter().map(|(member, endpoint, standing)| DumpedMember {
            address: member.key.address,
            name: member.key.name.clone(),
            endpoint: endpoint.name(),
            health: member.health().name(),
            standing: standing.name(),
            last_probe: member.last_outcome().map(|outcome| outcome.to_string()),
            in_progress: member.load(),
            sessions: member.sessions(),
        });
        members.collect()
    };
    serde_json::to_string_pretty(&ConfigDump {
        generation: published.generation,
        swaps: published.swaps,
        addresses,
        unopened: &published.unopened,
        reports: &published.reports,
        pools: pools.pools().iter().map(|(id, pool)| (id.0.to_string(), members(pool))).collect(),
        model: &published.model,
        fingerprints: Fingerprints::of(&published.model),
        options: TranslationOptions {
            controller: &published.options.controller,
            serve_controllers: &published.options.serve_controllers,
            everything_without_class: published.options.everything_without_class,
            strict_tenancy: published.options.has_strict_tenancy(),
            default_certificate: published.options.default_certificate.as_ref().map(ToString::to_string),
            external_names: published.options.external_names,
            cluster_domain: &published.options.cluster_domain,
        },
    })
}
