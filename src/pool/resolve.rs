//! Names of endpoints: resolved, and again when their time to live is over.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::registry::WeakRegistry;

/// Shortest and longest time for which an answer is believed, whatever its TTL says.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// Time before a name that could not be resolved is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// A name being resolved; dropping it ends that.
#[derive(Debug)]
pub(super) struct Resolving {
    /// The newest answer. A failed look-up leaves it as it was.
    pub(super) addresses: Vec<IpAddr>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Resolving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Resolves `name` until dropped, telling `registry` of each new answer.
pub(super) fn start(runtime: &tokio::runtime::Handle, registry: WeakRegistry, name: String) -> Resolving {
    Resolving { addresses: Vec::new(), task: runtime.spawn(run(registry, name)) }
}

async fn run(registry: WeakRegistry, name: String) {
    let mut known = Vec::new();
    loop {
        let pause = match look_up(&name).await {
            Ok((addresses, lifetime)) => {
                if addresses != known {
                    known.clone_from(&addresses);
                    let Some(registry) = registry.upgrade() else { return };
                    registry.resolved(&name, addresses);
                }
                lifetime.clamp(SHORTEST, LONGEST)
            }
            Err(error) => {
                tracing::warn!(%name, %error, "name can't be resolved; the addresses known so far stay");
                RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// The addresses of `name`, sorted, and how long they hold. Reads the system's resolver configuration each
/// time, so a change of it is followed.
async fn look_up(name: &str) -> Result<(Vec<IpAddr>, Duration), String> {
    let resolver =
        TokioResolver::builder_tokio().and_then(ResolverBuilder::build).map_err(|error| error.to_string())?;
    let answer = resolver.lookup_ip(name).await.map_err(|error| error.to_string())?;
    let mut addresses: Vec<IpAddr> = answer.iter().collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok((addresses, answer.valid_until().saturating_duration_since(Instant::now())))
}
