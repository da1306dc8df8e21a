//! DNS names of endpoints: each is resolved, and resolved again when the time to live of the answer is over.
//!
//! Knows nothing of pools: each new answer is given to a callback.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::net::NetError;
use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::shortage::Shortage;

/// The shortest and the longest time for which an answer is used, whatever its TTL says.
const MIN_ANSWER_LIFETIME: Duration = Duration::from_secs(1);
const MAX_ANSWER_LIFETIME: Duration = Duration::from_secs(300);
/// Time before a name that could not be resolved is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// How long an address stays after it has left the answers. Names with a short TTL often give a few of many addresses at a time, and
/// members must not come and go with them. The probe says whether an address that stays still serves.
const ADDRESS_RETENTION_TIME: Duration = Duration::from_secs(60);

/// A name that is being resolved. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Resolution {
    /// The addresses, once a look-up has ended; empty if it failed. A later one that fails leaves them as they are.
    pub(super) addresses: Option<Vec<IpAddr>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Resolution {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Resolves `name` until the result is dropped or `report` breaks. `report` is called when the addresses have changed.
pub(super) fn start(
    runtime: &tokio::runtime::Handle,
    name: String,
    report: impl Fn(&str, Vec<IpAddr>) -> ControlFlow<()> + Send + 'static,
) -> Resolution {
    Resolution { addresses: None, task: runtime.spawn(run(name, report)) }
}

async fn run(name: String, report: impl Fn(&str, Vec<IpAddr>) -> ControlFlow<()>) {
    let mut last_seen: BTreeMap<IpAddr, Instant> = BTreeMap::new();
    let mut reported = None;
    loop {
        let pause = match look_up(&name).await {
            Ok((addresses, lifetime)) => {
                let now = Instant::now();
                let stays = |last: Instant| now.duration_since(last) < ADDRESS_RETENTION_TIME;
                last_seen.retain(|_, last| lifetime < ADDRESS_RETENTION_TIME && stays(*last));
                last_seen.extend(addresses.into_iter().map(|address| (address, now)));
                lifetime.clamp(MIN_ANSWER_LIFETIME, MAX_ANSWER_LIFETIME)
            }
            Err(LookUpError::Shortage(shortage, error)) => {
                // What was known stays, and so does that nothing was.
                shortage.report(&error);
                tokio::time::sleep(RETRY_INTERVAL).await;
                continue;
            }
            Err(LookUpError::Other(error)) => {
                tracing::warn!(%name, %error, "name can't be resolved; the addresses known so far stay");
                RETRY_INTERVAL
            }
        };
        let addresses: Vec<IpAddr> = last_seen.keys().copied().collect();
        if reported.as_ref() != Some(&addresses) {
            if report(&name, addresses.clone()).is_break() {
                return;
            }
            reported = Some(addresses);
        }
        tokio::time::sleep(pause).await;
    }
}

/// Why a name could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// This machine lacked something for it, which says nothing about the name.
    #[error("this machine is short of {name}: {1}", name = .0.name())]
    Shortage(Shortage, Arc<io::Error>),
    /// Anything else.
    #[error(transparent)]
    Other(NetError),
}

impl From<NetError> for LookUpError {
    fn from(error: NetError) -> Self {
        match &error {
            NetError::Io(io) => match Shortage::of(io) {
                Some(shortage) => Self::Shortage(shortage, Arc::clone(io)),
                None => Self::Other(error),
            },
            _ => Self::Other(error),
        }
    }
}

/// The addresses of `name`, and the time to live of the answer. The system's resolver configuration is read each time, so that a
/// change of it is followed.
///
/// # Errors
/// No server has an answer.
pub async fn look_up(name: &str) -> Result<(Vec<IpAddr>, Duration), LookUpError> {
    let resolver = TokioResolver::builder_tokio().and_then(ResolverBuilder::build)?;
    // A dot at the end: the name is whole, and is not looked for in the search domains of this machine, as that of a CNAME is not.
    let answer = resolver.lookup_ip(format!("{name}.")).await?;
    Ok((answer.iter().collect(), answer.valid_until().saturating_duration_since(Instant::now())))
}
