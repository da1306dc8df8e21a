//! The members of a pool, as they are now: each has a moment to answer its probe.

use std::time::Duration;

use super::refusals::Refusals;
use crate::model::{Affinity, EndpointState};
use crate::pool::{Health, Member, Pool, ProbeOutcome, Standing};
use crate::proxy::RefusalReason;

/// Time in which members may answer their probes.
const PROBE_WAIT: Duration = Duration::from_secs(3);

/// Prints each member with the result of its probe and the cookie of its clients; returns whether the pool would serve a request.
pub(super) async fn print_members(pool: &Pool, affinity: Option<&Affinity>, refusals: Refusals) -> bool {
    // Without the gateway's key, nobody knows its cookies.
    let affinity = affinity.filter(|_| pool.has_shared_key());
    if pool.chooses_by_client() {
        println!("affinity   by the client's address (sessionAffinity: ClientIP of the Service)");
    }
    let deadline = tokio::time::Instant::now() + PROBE_WAIT;
    let pending = || {
        let unknown = pool.unavailable().is_some_and(|why| why.unknown > 0);
        unknown
            || pool.members().iter().any(|(member, endpoint)| {
                matches!(endpoint, EndpointState::Ready | EndpointState::Terminating { .. })
                    && member.health() == Health::Unknown
            })
    };
    while tokio::time::Instant::now() < deadline && pending() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (member, endpoint, standing) in pool.standings() {
        let state = match endpoint {
            EndpointState::Ready => standing.name().to_owned(),
            EndpointState::Terminating { .. } => format!("terminating, {}", member.health().name()),
            EndpointState::Ending { .. } => "terminating, not serving".to_owned(),
            EndpointState::NotReady => "not ready".to_owned(),
        };
        let probe = describe_probe(&member, standing);
        let cookie = affinity.map(|affinity| format!("; cookie {}={}", affinity.cookie, pool.token(&member)));
        print_line!("member     {} {state}; {probe}{}", member.key.address, cookie.unwrap_or_default());
    }
    let takers = pool.takers();
    match pool.unavailable() {
        None if !takers.is_empty() && takers.iter().all(|member| member.is_unreachable()) => {
            let reason = RefusalReason::BackendUnreachable.name();
            println!("answer     {}, {reason}: no connection can be made", refusals.name(502));
            false
        }
        None => true,
        Some(why) => {
            print_line!("answer     {}, {}: {why}", refusals.name(503), RefusalReason::from(why).name());
            false
        }
    }
}

/// The result of a member's last probe, and whether it counts.
fn describe_probe(member: &Member, standing: Standing) -> String {
    let probe = match member.last_outcome() {
        _ if member.key.probe.is_none() => return "probes are off, so the endpoint's readiness decides".to_owned(),
        Some(ProbeOutcome::Passed(Some(status))) => format!("probe answered {status}"),
        Some(ProbeOutcome::Passed(None)) => "probe connected".to_owned(),
        Some(ProbeOutcome::Inconclusive(error)) => format!("probe could not be sent: {error}"),
        Some(outcome) => format!("probe failed: {outcome}"),
        None => "probe not answered yet".to_owned(),
    };
    let counts = match standing {
        Standing::Ready => "; it does not count, since nobody wrote this probe and no member passes it",
        Standing::Down if member.has_guessed_probe() => "; it counts, since another member passes it",
        Standing::Unknown if member.has_guessed_probe() => "; it is not waited for any longer, since nobody wrote it",
        _ => "",
    };
    format!("{probe}{counts}")
}
