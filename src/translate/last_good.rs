//! The last good version of each Secret: where a certificate is replaced by something that is none, it stays in use. The same holds
//! for the key sets of tokens, in Secrets and ConfigMaps (`key_sets`).
//!
//! This is the one thing that is remembered from one snapshot to the next and can't be made again from the newest. The
//! Secret that it puts back is translated as any other.

mod key_sets;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::certificate::{PairProblem, read_pair, secret_value};
use super::change::changed;
use crate::model::{Kind, ObjectRef};
use crate::report::{Reason, Report, Severity};
use crate::source::snapshot::Objects;
use crate::source::{Key, Snapshot};
use key_sets::LastKeySets;

/// The last good versions of the Secrets of a snapshot, at the cost of the Secrets that have changed since the last.
#[derive(Default)]
pub struct LastGood {
    /// The Secrets as they came.
    received: Objects<Secret>,
    /// The Secrets with the good pairs put back.
    restored: Objects<Secret>,
    versions: BTreeMap<Key, SecretVersions>,
    /// One report for each Secret whose pair is not its newest.
    reports: BTreeMap<Key, Report>,
    keys_of_secrets: LastKeySets<Secret>,
    keys_of_config_maps: LastKeySets<ConfigMap>,
}

/// What is remembered of one Secret.
struct SecretVersions {
    /// The newest version whose pair can be used.
    good: Option<Arc<Secret>>,
    /// What is wrong with the newest version, and the remedy.
    fault: Option<PairProblem>,
}

impl LastGood {
    /// Puts back the last good pair of every Secret whose newest can't be used, and the last key sets; gives a report for each. A Secret that
    /// was deleted is not put back.
    pub fn keep(&mut self, snapshot: &mut Snapshot) -> Vec<Report> {
        let before = std::mem::replace(&mut self.received, snapshot.secrets.clone());
        let changed: Vec<Key> = changed(&before, &self.received).collect();
        for key in changed {
            let last = self.versions.remove(&key);
            self.reports.remove(&key);
            let Some(newest) = self.received.get(&key) else {
                self.restored.remove(&key);
                continue;
            };
            let versions = SecretVersions::of(newest, last.and_then(|last| last.good));
            let restored = match (&versions.good, &versions.fault) {
                (Some(good), Some(fault)) => {
                    self.reports.insert(key.clone(), report(&key, fault));
                    Arc::new(with_pair(newest, good))
                }
                _ => Arc::clone(newest),
            };
            self.restored.insert(key.clone(), restored);
            self.versions.insert(key, versions);
        }
        snapshot.secrets = self.restored.clone();
        let mut reports: Vec<Report> = self.reports.values().cloned().collect();
        reports.extend(self.keys_of_secrets.keep(&mut snapshot.secrets));
        reports.extend(self.keys_of_config_maps.keep(&mut snapshot.config_maps));
        reports
    }
}

impl SecretVersions {
    fn of(newest: &Arc<Secret>, last_good: Option<Arc<Secret>>) -> Self {
        let fault = read_pair(newest).err();
        let good = if fault.is_none() { Some(Arc::clone(newest)) } else { last_good };
        Self { good, fault }
    }
}

/// The newest version with the pair of the good one.
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
