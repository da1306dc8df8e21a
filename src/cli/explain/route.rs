//! What a route does with a request, and why other routes don't take it.

use std::fmt;

use super::refusals::Refusals;
use super::{members, policies};
use crate::model::{Action, Affinity, Forward, HostHeader, MatchInput, PoolId, Route, WeightedPools};
use crate::table::{Explanation, Miss, Target};

/// Prints what a route does; returns whether it would serve the request.
pub(super) async fn print_route(target: &Target, refusals: Refusals, host: &str, input: MatchInput<'_>) -> bool {
    match refusals {
        Refusals::Statuses => {
            print_line!("route      {}: {}, path {}", target.owner(), target.route.field, target.route.matches)
        }
        Refusals::Ends => print_line!("route      {}: {}", target.owner(), target.route.field),
    }
    for step in target.route.policies.as_deref().map(policies::steps).unwrap_or_default() {
        print_line!("{step}");
    }
    let prohibited = target.route.policies.as_deref().and_then(|policies| policies.prohibited.as_deref());
    if let Some(by) = prohibited.and_then(|targets| targets.find(host, input.path)) {
        print_line!("answer     503: {} has it that this is not served", by.origin.owner);
        return false;
    }
    match &target.route.action {
        Action::Redirect(redirect) => {
            print_line!("answer     {redirect}");
            true
        }
        Action::NotFound => {
            print_line!("answer     {}", refusals.name(404));
            false
        }
        Action::Unavailable(unavailable) => {
            print_line!("answer     {}, {}", refusals.name(unavailable.status), unavailable.reason);
            false
        }
        Action::Forward(forward) => {
            let mut served = false;
            for share in shares(&forward.pools) {
                print_forward(forward, &share);
                served |= print_pool(target, &share, forward.affinity.as_deref(), refusals).await;
            }
            if let WeightedPools::Several { invalid: weight @ 1.., .. } = forward.pools {
                println!("answer     500 for a share, weight {weight}: some backends of the route are not valid");
            }
            served
        }
        Action::Stream(stream) => {
            let mut served = false;
            for share in shares(&stream.pools) {
                let idle = stream.sessions.idle_timeout.map(|idle| format!(", idle timeout {idle:?}"));
                print_line!("backend    pool {share}, stream of {}{}", stream.protocol(), idle.unwrap_or_default());
                served |= print_pool(target, &share, None, refusals).await;
            }
            served
        }
    }
}

/// A pool of a route, and the share of requests that it takes.
struct PoolShare<'a> {
    pool: &'a PoolId,
    /// `None`: every request.
    weight: Option<u32>,
}

impl fmt::Display for PoolShare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pool)?;
        self.weight.map_or(Ok(()), |weight| write!(f, ", weight {weight}"))
    }
}

fn shares(pools: &WeightedPools) -> Vec<PoolShare<'_>> {
    match pools {
        WeightedPools::One { pool } => vec![PoolShare { pool, weight: None }],
        WeightedPools::Several { pools, invalid: _ } => {
            pools.iter().map(|weighted| PoolShare { pool: &weighted.pool, weight: Some(weighted.weight) }).collect()
        }
    }
}

/// Prints how requests go to one of the pools of a route.
fn print_forward(forward: &Forward, share: &PoolShare<'_>) {
    let host = match &forward.host {
        HostHeader::Preserve => "as the client sent it".to_owned(),
        HostHeader::Set(host) => host.clone(),
        HostHeader::Member => "the member's own".to_owned(),
    };
    print_line!("backend    pool {share}, Host {host}, request timeout {:?}", forward.request_timeout);
    if let Some(rewrite) = &forward.rewrite {
        print_line!("rewrite    {:?} at the front of the path becomes {:?}", rewrite.strip, rewrite.prepend);
    }
    if let Some(protocols) = &forward.upgrade_protocols {
        println!("upgrade    WebSocket, {}", protocols.names().collect::<Vec<_>>().join(", "));
    }
}

/// Prints one of the pools of a route; returns whether it would serve a request.
async fn print_pool(target: &Target, share: &PoolShare<'_>, affinity: Option<&Affinity>, refusals: Refusals) -> bool {
    let PoolShare { pool: id, weight } = share;
    match target.pools().find(|pool| pool.id == **id) {
        Some(pool) => members::print_members(pool, affinity, refusals).await && *weight != Some(0),
        None => false,
    }
}

/// Prints the routes that don't take the request.
pub(super) fn print_other_routes(explanation: &Explanation) {
    for considered in &explanation.considered {
        let why = match considered.miss {
            None => continue,
            Some(Miss::Host) => "another host".to_owned(),
            Some(Miss::Condition(condition)) => format!("another {condition}"),
            Some(Miss::Precedence) => "matches too, but goes after the one chosen".to_owned(),
        };
        let Route { owner, field, matches, .. } = &*considered.route;
        print_line!("not        {owner}: {field}, host {}, path {matches}: {why}", considered.host);
    }
}
