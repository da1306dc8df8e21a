//! Names of endpoints: resolved, and again when their time to live is over.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::registry::WeakRegistry;

/// Shortest and longest time for which an answer is believed, whatever its TTL says.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// Time before a name that could not be resolved is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// How long an address stays after it has left the answers: names with a short TTL often give a few of many addresses at
/// a time, and those are not to come and go. The probe says whether one that stays still serves.
const STAY: Duration = Duration::from_secs(60);

/// A name being resolved; dropping it ends that.
#[derive(Debug)]
pub(super) struct Resolving {
    /// The addresses known, once a look-up has ended. A later one that fails leaves them as they were.
    pub(super) answer: Option<Vec<IpAddr>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Resolving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Resolves `name` until dropped, telling `registry` of each new answer.
pub(super) fn start(runtime: &tokio::runtime::Handle, registry: WeakRegistry, name: String) -> Resolving {
    Resolving { answer: None, task: runtime.spawn(run(registry, name)) }
}

async fn run(registry: WeakRegistry, name: String) {
    let mut seen: BTreeMap<IpAddr, Instant> = BTreeMap::new();
    let mut told = None;
    loop {
        let pause = match look_up(&name).await {
            Ok((addresses, lifetime)) => {
                let now = Instant::now();
                seen.retain(|_, last| lifetime < STAY && now.duration_since(*last) < STAY);
                seen.extend(addresses.into_iter().map(|address| (address, now)));
                lifetime.clamp(SHORTEST, LONGEST)
            }
            Err(error) => {
                tracing::warn!(%name, %error, "name can't be resolved; the addresses known so far stay");
                RETRY
            }
        };
        let known: Vec<IpAddr> = seen.keys().copied().collect();
        if told.as_ref() != Some(&known) {
            let Some(registry) = registry.upgrade() else { return };
            registry.resolved(&name, known.clone());
            told = Some(known);
        }
        tokio::time::sleep(pause).await;
    }
}

/// The addresses of `name`, and how long they hold. Reads the system's resolver configuration each
/// time, so a change of it is followed.
async fn look_up(name: &str) -> Result<(Vec<IpAddr>, Duration), String> {
    let resolver =
        TokioResolver::builder_tokio().and_then(ResolverBuilder::build).map_err(|error| error.to_string())?;
    let answer = resolver.lookup_ip(name).await.map_err(|error| error.to_string())?;
    Ok((answer.iter().collect(), answer.valid_until().saturating_duration_since(Instant::now())))
}
