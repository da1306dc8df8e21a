//! The Lease at the API server: acquired, renewed, released. Its holder writes status; every replica serves.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::StatusMetrics;
use super::election::{Election, RENEW_DEADLINE, REQUEST_TIMEOUT, RETRY_INTERVAL};
use crate::source::Key;

/// Whether this replica may write now.
#[derive(Debug, Clone)]
pub(super) struct Leadership(watch::Receiver<Option<Instant>>);

impl Leadership {
    /// The time until which it may write; `None`: it may not.
    pub(super) fn until(&self) -> Option<Instant> {
        self.0.borrow().filter(|until| Instant::now() < *until)
    }

    /// Ends when leadership may have changed: by a renewal, a loss, or the end of its time.
    pub(super) async fn changed(&mut self) {
        let until = self.until();
        let lapse = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = lapse => {}
            changed = self.0.changed() => if changed.is_err() {
                // The candidate has ended; its leadership runs out.
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

/// One candidate for the lease.
pub(super) struct Candidate {
    leases: Api<Lease>,
    key: Key,
    election: Election,
    /// The Lease as this replica wrote it last.
    held: Option<Lease>,
    /// The time until which this replica may write.
    until: watch::Sender<Option<Instant>>,
    metrics: StatusMetrics,
    /// Whether a failure has been logged since the last success.
    is_failing: bool,
}

impl Candidate {
    /// A candidate for the lease `key`, and the leadership that it announces.
    pub(super) fn new(client: Client, key: Key, identity: String, metrics: StatusMetrics) -> (Self, Leadership) {
        let leases = Api::namespaced(client, key.namespace());
        let (until, receiver) = watch::channel(None);
        let election = Election::new(identity);
        (Self { leases, key, election, held: None, until, metrics, is_failing: false }, Leadership(receiver))
    }

    /// Tries to hold the lease until `stop` changes.
    pub(super) async fn run(&mut self, mut stop: watch::Receiver<bool>) {
        let mut rest = Duration::ZERO;
        loop {
            tokio::select! {
                _ = stop.changed() => return,
                () = sleep(rest) => {}
            }
            tokio::select! {
                _ = stop.changed() => return,
                () = self.turn() => {}
            }
            rest = RETRY_INTERVAL + RETRY_INTERVAL.mul_f64(0.2 * fastrand::f64());
        }
    }

    /// Releases the lease, if this replica holds it. No write may be in flight when this is called.
    pub(super) async fn release(&mut self) {
        self.stop_leading("released");
        let release = async {
            let Some(lease) = self.leases.get_opt(self.key.name()).await? else { return Ok(()) };
            let record = self.election.release(&lease.spec.clone().unwrap_or_default(), Timestamp::now());
            if let Some(record) = record {
                self.replace(lease, record).await?;
            }
            Ok::<_, kube::Error>(())
        };
        match timeout(REQUEST_TIMEOUT, release).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(lease = %self.key, %error, "the lease could not be released; it runs out"),
            Err(_) => tracing::warn!(lease = %self.key, "the lease could not be released in time; it runs out"),
        }
    }

    async fn turn(&mut self) {
        // Leadership counts from the moment the request was sent: the record may have changed right then.
        let began = Instant::now();
        let outcome = timeout(REQUEST_TIMEOUT, self.acquire_or_renew()).await;
        let failure = match outcome {
            Ok(Ok(held)) => {
                if self.is_failing {
                    tracing::info!(lease = %self.key, "the lease can be reached again");
                    self.is_failing = false;
                }
                if held {
                    self.lead_until(began + RENEW_DEADLINE)
                } else {
                    self.stop_leading("another holds the lease")
                }
                return;
            }
            Ok(Err(error)) if is_status(&error, 409) => "another was faster".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        // Another may have changed it: the next turn reads it again.
        self.held = None;
        if self.until.borrow().is_some_and(|until| until <= Instant::now()) {
            self.stop_leading("the lease could not be renewed in time");
        }
        if !self.is_failing {
            self.is_failing = true;
            tracing::warn!(lease = %self.key, trouble = failure, "the lease can't be had or renewed; tried again every 2 s");
        }
    }

    /// Acquires or renews the lease. Whether this replica holds it now.
    async fn acquire_or_renew(&mut self) -> Result<bool, kube::Error> {
        let clock = Timestamp::now();
        let lease = match self.held.take() {
            Some(lease) => Some(lease),
            None => self.leases.get_opt(self.key.name()).await?,
        };
        let written = match lease {
            Some(lease) => {
                let record = lease.spec.clone().unwrap_or_default();
                let Some(record) = self.election.consider(&record, Instant::now(), clock) else { return Ok(false) };
                self.replace(lease, record).await?
            }
            None => {
                let metadata = ObjectMeta { name: Some(self.key.name().to_owned()), ..ObjectMeta::default() };
                let lease = Lease { metadata, spec: Some(self.election.create(clock)) };
                self.leases.create(&PostParams::default(), &lease).await?
            }
        };
        self.held = Some(written);
        Ok(true)
    }

    /// Writes a record in place of the one that was read: `lease` carries its resourceVersion.
    async fn replace(&self, lease: Lease, record: LeaseSpec) -> Result<Lease, kube::Error> {
        let lease = Lease { spec: Some(record), ..lease };
        self.leases.replace(self.key.name(), &PostParams::default(), &lease).await
    }

    fn lead_until(&self, until: Instant) {
        if self.until.send_replace(Some(until)).is_none() {
            tracing::info!(lease = %self.key, "leads: this replica writes status");
            self.metrics.leads(true);
        }
    }

    fn stop_leading(&self, why: &str) {
        if self.until.send_replace(None).is_some() {
            tracing::info!(lease = %self.key, why, "leads no more");
            self.metrics.leads(false);
        }
    }
}

/// Whether the API server answered with this HTTP status.
pub(super) fn is_status(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
