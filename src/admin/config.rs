//! What is being served, as JSON. Key material is redacted by its type.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;

use crate::controller::Published;
use crate::model::Model;
use crate::pool::Registry;
use crate::status::Report;

#[derive(Serialize)]
struct Dump<'a> {
    generation: u64,
    swaps: u64,
    addresses: &'a BTreeMap<u16, SocketAddr>,
    unopened: &'a BTreeMap<u16, String>,
    reports: &'a [Report],
    pools: BTreeMap<String, Vec<Member>>,
    model: &'a Model,
}

#[derive(Serialize)]
struct Member {
    address: SocketAddr,
    endpoint: &'static str,
    health: &'static str,
    last_probe: Option<String>,
    in_progress: usize,
    sessions: usize,
}

/// The dump.
pub(super) fn dump(
    published: &Published,
    addresses: &BTreeMap<u16, SocketAddr>,
    pools: &Registry,
) -> serde_json::Result<String> {
    let members = |pool: &crate::pool::Pool| {
        let members = pool.members().into_iter().map(|(member, endpoint)| Member {
            address: member.key.address,
            endpoint: endpoint.name(),
            health: member.health().name(),
            last_probe: member.last_outcome().map(|outcome| match outcome {
                Ok(status) => status.to_string(),
                Err(failure) => failure,
            }),
            in_progress: member.load(),
            sessions: member.sessions(),
        });
        members.collect()
    };
    serde_json::to_string_pretty(&Dump {
        generation: published.generation,
        swaps: published.swaps,
        addresses,
        unopened: &published.unopened,
        reports: &published.reports,
        pools: pools.pools().iter().map(|pool| (pool.id.0.clone(), members(pool))).collect(),
        model: &published.model,
    })
}
