//! `loadDistributionPolicies`: several pools that take the requests of a rule together.
//!
//! The members of all of them make one pool at run time, each with the weight of its own. So a client's cookie finds its member in any of
//! them, and a request that a member refuses is sent to another, wherever that is.

use std::collections::BTreeMap;

use crate::api::application_gateway::{
    BackendAddressPool, BackendHttpSettings, LoadDistributionAlgorithm, LoadDistributionPolicy, LoadDistributionTarget,
};
use crate::model::{Address, Balance, Endpoint, Pool, PoolId, Probe, Weight};
use crate::report::Reason;

use super::backend::{Backends, PoolUse};
use super::element::{Element, in_range};
use super::probe;
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;

/// The pool that a policy and settings make. It is put into the draft, as is each of its own pools, of which status tells.
///
/// # Errors
/// None of its pools can be used.
pub(super) fn pool<'a>(
    backends: &Backends<'a>,
    policy: &Element<'a, LoadDistributionPolicy>,
    settings: &Element<'a, BackendHttpSettings>,
    lookup: &Lookup<'_>,
    draft: &mut Draft,
) -> Result<PoolId, Reason> {
    let [name, settings_name] = [&policy.value.name, &settings.value.name].map(|name| name.replace('/', "%2F"));
    let id = PoolId(format!("loadDistributionPolicies/{name}/{settings_name} ({})", backends.owner).into());
    if draft.pools.contains_key(&id) {
        return Ok(id);
    }
    let LoadDistributionPolicy { name: _, load_distribution_algorithm, load_distribution_targets } = policy.value;

    // A target that leads nowhere is left out, as an address of a pool is.
    let mut reason = Reason::InvalidValue;
    let mut members: Vec<(PoolId, Weight)> = Vec::new();
    for (index, target) in load_distribution_targets.iter().enumerate() {
        let field = format!("{}.loadDistributionTargets[{index}]", policy.field);
        let weight = weight(backends, &field, target, draft);
        let found = find(backends, &field, target, draft);
        match found.and_then(|pool| backends.pool_id(&pool, settings, PoolUse::Component, lookup, draft)) {
            Ok(pool) => members.push((pool, weight)),
            Err(why) => reason = why,
        }
    }
    let pools: Vec<(&Pool, Weight)> =
        members.iter().filter_map(|(id, weight)| Some((draft.pools.get(id)?, *weight))).collect();
    let Some((first, _)) = pools.first() else {
        if load_distribution_targets.is_empty() {
            let message = "the policy has no pool, so its rules answer 503";
            let field = format!("{}.loadDistributionTargets", policy.field);
            draft.reports.error(backends.owner, field, reason, message, "name at least one");
        }
        return Err(reason);
    };
    let balance = match load_distribution_algorithm {
        None | Some(LoadDistributionAlgorithm::RoundRobin) => Balance::RoundRobin,
        Some(LoadDistributionAlgorithm::LeastConnections) => Balance::LeastConnections,
        Some(LoadDistributionAlgorithm::IpHash) => Balance::ClientAddress,
    };
    let endpoints: Vec<Endpoint> = merge(&pools).into_values().collect();
    let probe = Some(common_probe(&pools, settings, backends));
    // All have the transport and `minServers` of the settings.
    let Pool { transport, min_up, .. } = first;
    let transport = transport.clone();
    let merged = Pool { endpoints: endpoints.into(), transport, probe, balance, min_up: *min_up, is_component: false };
    draft.pools.insert(id.clone(), merged);
    Ok(id)
}

fn find<'a>(
    backends: &Backends<'a>,
    field: &str,
    target: &LoadDistributionTarget,
    draft: &mut Draft,
) -> Result<Element<'a, BackendAddressPool>, Reason> {
    let field = format!("{field}.backendAddressPool");
    backends.elements.pools.find(backends.owner, &target.backend_address_pool, &field, &mut draft.reports)
}

fn weight(backends: &Backends<'_>, field: &str, target: &LoadDistributionTarget, draft: &mut Draft) -> Weight {
    let field = format!("{field}.weightPerServer");
    let read = |number| in_range(backends.owner, field, number, (1, 100), &mut draft.reports);
    target.weight_per_server.and_then(read).and_then(Weight::new).unwrap_or(Weight::ONE)
}

/// The endpoints of all pools, by their address. Of an address in several pools the weights are added up, and the better state counts.
fn merge(pools: &[(&Pool, Weight)]) -> BTreeMap<Address, Endpoint> {
    let mut merged: BTreeMap<Address, Endpoint> = BTreeMap::new();
    for (pool, weight) in pools {
        for endpoint in &pool.endpoints {
            let own = || Endpoint { weight: *weight, ..endpoint.clone() };
            merged
                .entry(endpoint.address.clone())
                .and_modify(|known| {
                    known.weight = known.weight.plus(*weight);
                    known.state = known.state.min(endpoint.state);
                })
                .or_insert_with(own);
        }
    }
    merged
}

/// The probe of all members: that of the settings, or one that the pods of every pool declare, else the default.
fn common_probe(
    pools: &[(&Pool, Weight)],
    settings: &Element<'_, BackendHttpSettings>,
    backends: &Backends<'_>,
) -> Probe {
    let first = pools.first().and_then(|(pool, _)| pool.probe.as_ref());
    let common = first.filter(|probe| pools.iter().all(|(pool, _)| pool.probe.as_ref() == Some(*probe)));
    let read = &backends.settings[&settings.field];
    common.cloned().unwrap_or_else(|| probe::default(read.https, &read.host))
}
