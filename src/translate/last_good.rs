//! A Secret that held a certificate and is replaced by something that is none: the last good one goes on being shown.
//!
//! Besides what can be made again, the one thing that is remembered from one snapshot to the next; what it gives is translated
//! like anything else.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::certificate::{PairProblem, read_pair, secret_value};
use super::change::changed;
use crate::model::{Kind, ObjectRef};
use crate::report::{Reason, Report, Severity};
use crate::source::snapshot::Objects;
use crate::source::{Key, Snapshot};

/// What is known of the Secrets of the last snapshot. Costs what has changed since.
#[derive(Default)]
pub struct LastGood {
    /// As they came.
    seen: Objects<Secret>,
    /// With the good pairs put back.
    kept: Objects<Secret>,
    known: BTreeMap<Key, Known>,
    /// Those that are kept for a pair that is not their newest.
    reports: BTreeMap<Key, Report>,
}

struct Known {
    /// The newest version that can be used.
    good: Option<Arc<Secret>>,
    /// What is wrong with the newest, and what to do.
    fault: Option<PairProblem>,
}

impl LastGood {
    /// Puts back the last good version of every Secret that has become unusable, and reports them. A Secret that is
    /// gone is gone.
    pub fn keep(&mut self, snapshot: &mut Snapshot) -> Vec<Report> {
        let seen = std::mem::replace(&mut self.seen, snapshot.secrets.clone());
        let changed: Vec<Key> = changed(&seen, &self.seen).collect();
        for key in changed {
            let before = self.known.remove(&key);
            self.reports.remove(&key);
            let Some(newest) = self.seen.get(&key) else {
                self.kept.remove(&key);
                continue;
            };
            let known = Known::of(newest, before.and_then(|known| known.good));
            let kept = match (&known.good, &known.fault) {
                (Some(good), Some(fault)) => {
                    self.reports.insert(key.clone(), report(&key, fault));
                    Arc::new(with_pair(newest, good))
                }
                _ => Arc::clone(newest),
            };
            self.kept.insert(key.clone(), kept);
            self.known.insert(key, known);
        }
        snapshot.secrets = self.kept.clone();
        self.reports.values().cloned().collect()
    }
}

impl Known {
    fn of(newest: &Arc<Secret>, before: Option<Arc<Secret>>) -> Self {
        let fault = read_pair(newest).err();
        let good = if fault.is_none() { Some(Arc::clone(newest)) } else { before };
        Self { good, fault }
    }
}

/// The newest version, but for the pair, which is the good one's.
fn with_pair(newest: &Secret, good: &Secret) -> Secret {
    let mut secret = newest.clone();
    let data = secret.data.get_or_insert_default();
    for name in ["tls.crt", "tls.key"] {
        secret.string_data.as_mut().and_then(|text| text.remove(name));
        data.extend(secret_value(good, name).map(|value| (name.to_owned(), ByteString(value.to_vec()))));
    }
    secret
}

fn report(key: &Key, PairProblem { message, remedy }: &PairProblem) -> Report {
    Report {
        object: ObjectRef { kind: Kind::Secret, key: key.clone() },
        field: "data".to_owned(),
        reason: Reason::InvalidCertificate,
        severity: Severity::Error,
        message: format!("{message}; the certificate that it held before goes on being shown, until a restart"),
        remedy: (*remedy).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(pair: Option<(String, String)>) -> Snapshot {
        let (crt, key) = pair.unwrap_or_default();
        let data = [("tls.crt", crt), ("tls.key", key)].map(|(name, text)| (name.to_owned(), ByteString(text.into())));
        let secret = Secret { data: Some(BTreeMap::from(data)), ..Secret::default() };
        let mut snapshot = Snapshot::default();
        snapshot.secrets.insert(Key::new("default", "tls"), Arc::new(secret));
        snapshot
    }

    fn pair() -> Option<(String, String)> {
        let pair = rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("made");
        Some((pair.cert.pem(), pair.signing_key.serialize_pem()))
    }

    #[test]
    fn garbage_is_told_and_the_last_good_pair_stays_until_a_good_one_comes() {
        let mut last_good = LastGood::default();
        let mut first = snapshot(pair());
        let good = first.clone();
        assert_eq!(last_good.keep(&mut first), []);
        for _ in 0..2 {
            let mut garbage = snapshot(None);
            let reports = last_good.keep(&mut garbage);
            assert_eq!(reports.len(), 1);
            assert_eq!(reports[0].reason, Reason::InvalidCertificate);
            assert!(garbage == good);
        }
        let mut renewed = snapshot(pair());
        let newer = renewed.clone();
        assert_eq!(last_good.keep(&mut renewed), []);
        assert!(renewed == newer && renewed != good);
    }

    #[test]
    fn what_else_a_secret_holds_is_the_newest() {
        let mut last_good = LastGood::default();
        last_good.keep(&mut snapshot(pair()));
        let mut roots = snapshot(None);
        let key = Key::new("default", "tls");
        let mut secret = Secret::clone(&roots.secrets[&key]);
        secret.data = Some(BTreeMap::from([("ca.crt".to_owned(), ByteString(b"new roots".to_vec()))]));
        roots.secrets.insert(key.clone(), Arc::new(secret));
        last_good.keep(&mut roots);
        let data = roots.secrets[&key].data.as_ref().expect("there");
        assert_eq!(data["ca.crt"].0, b"new roots");
        assert!(data["tls.crt"].0.starts_with(b"-----BEGIN"));
    }

    #[test]
    fn a_secret_that_was_never_good_or_was_away_meanwhile_is_taken_as_it_is() {
        let mut last_good = LastGood::default();
        let mut garbage = snapshot(None);
        assert_eq!(last_good.keep(&mut garbage), []);
        assert!(garbage == snapshot(None));
        last_good.keep(&mut snapshot(pair()));
        last_good.keep(&mut Snapshot::default());
        let mut garbage = snapshot(None);
        assert_eq!(last_good.keep(&mut garbage), []);
        assert!(garbage == snapshot(None));
    }
}
