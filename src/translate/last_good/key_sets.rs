//! The last valid key sets (JWKS) of Secrets or of ConfigMaps: where a value that was one is replaced by something that is none, it
//! stays in use. A value that is removed is not put back.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use crate::model::{KeySet, Kind, ObjectRef};
use crate::report::{Reason, Report, Severity};
use crate::source::Key;
use crate::source::snapshot::Objects;
use crate::translate::change::changed;

/// An object with named values.
pub(super) trait Values: Clone + PartialEq {
    const KIND: Kind;

    fn values(&self) -> impl Iterator<Item = (&str, &[u8])>;
    fn put(&mut self, name: &str, value: &[u8]);
}

impl Values for Secret {
    const KIND: Kind = Kind::Secret;

    fn values(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.data.iter().flatten().map(|(name, value)| (name.as_str(), value.0.as_slice()))
    }

    fn put(&mut self, name: &str, value: &[u8]) {
        self.data.get_or_insert_default().insert(name.to_owned(), ByteString(value.to_vec()));
    }
}

impl Values for ConfigMap {
    const KIND: Kind = Kind::ConfigMap;

    fn values(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.data.iter().flatten().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    fn put(&mut self, name: &str, value: &[u8]) {
        let text = String::from_utf8_lossy(value).into_owned();
        self.data.get_or_insert_default().insert(name.to_owned(), text);
    }
}

/// The last valid key sets of the objects of one kind.
pub(super) struct LastKeySets<T> {
    /// The objects as they came.
    received: Objects<T>,
    /// The objects with the valid values put back.
    restored: Objects<T>,
    /// The valid key sets of each object that has one, by the name of the value.
    valid: BTreeMap<Key, BTreeMap<String, Vec<u8>>>,
    reports: BTreeMap<Key, Vec<Report>>,
}

impl<T: Clone + PartialEq> Default for LastKeySets<T> {
    fn default() -> Self {
        Self {
            received: Objects::default(),
            restored: Objects::default(),
            valid: BTreeMap::new(),
            reports: BTreeMap::new(),
        }
    }
}

impl<T: Values> LastKeySets<T> {
    /// Puts back the last valid key set of every value that is none any more, and gives a report for each.
    pub(super) fn keep(&mut self, objects: &mut Objects<T>) -> impl Iterator<Item = Report> {
        let before = std::mem::replace(&mut self.received, objects.clone());
        let changed: Vec<Key> = changed(&before, &self.received).collect();
        for key in changed {
            let valid = self.valid.remove(&key).unwrap_or_default();
            self.reports.remove(&key);
            match self.received.get(&key).cloned() {
                None => drop(self.restored.remove(&key)),
                Some(newest) => self.restore(key, newest, valid),
            }
        }
        *objects = self.restored.clone();
        self.reports.values().flatten().cloned()
    }

    /// Takes the newest version of an object whose values were `valid`.
    fn restore(&mut self, key: Key, newest: Arc<T>, mut valid: BTreeMap<String, Vec<u8>>) {
        let (mut now, mut restored, mut reports) = (BTreeMap::new(), Arc::clone(&newest), Vec::new());
        for (name, value) in newest.values() {
            match (looks_like_keys(value).then(|| KeySet::parse(value)), valid.remove(name)) {
                (Some(Ok(_)), _) => drop(now.insert(name.to_owned(), value.to_vec())),
                (wrong, Some(last)) => {
                    Arc::make_mut(&mut restored).put(name, &last);
                    let problem = wrong.and_then(Result::err).map_or_else(String::new, |error| format!(": {error}"));
                    reports.push(report::<T>(&key, name, &problem));
                    now.insert(name.to_owned(), last);
                }
                (_, None) => {}
            }
        }
        self.restored.insert(key.clone(), restored);
        if !now.is_empty() {
            self.valid.insert(key.clone(), now);
        }
        if !reports.is_empty() {
            self.reports.insert(key, reports);
        }
    }
}

/// Whether a value is worth parsing: few are key sets.
fn looks_like_keys(value: &[u8]) -> bool {
    value.trim_ascii_start().starts_with(b"{") && std::str::from_utf8(value).is_ok_and(|text| text.contains("\"keys\""))
}

fn report<T: Values>(key: &Key, name: &str, problem: &str) -> Report {
    Report {
        object: ObjectRef { kind: T::KIND, key: key.clone() },
        field: format!("data.{name}"),
        reason: Reason::InvalidKeySet,
        severity: Severity::Error,
        message: format!(
            "it is no key set any more{problem}; the one that it held before goes on being used, until a restart"
        ),
        remedy: "put the issuer's keys there, as a JSON Web Key Set (RFC 7517)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    fn maps(values: &[(&str, &str)]) -> Objects<ConfigMap> {
        let data = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let map = ConfigMap { data: Some(data), ..ConfigMap::default() };
        [(Key::new("default", "issuer"), Arc::new(map))].into_iter().collect()
    }

    fn kept(last: &mut LastKeySets<ConfigMap>, values: &[(&str, &str)]) -> (Objects<ConfigMap>, usize) {
        let mut objects = maps(values);
        let reports = last.keep(&mut objects).count();
        (objects, reports)
    }

    #[test]
    fn a_key_set_that_becomes_garbage_is_put_back_until_a_valid_one_comes_or_it_is_removed() {
        let mut last = LastKeySets::default();
        assert_eq!(kept(&mut last, &[("a", KEYS), ("b", "text")]), (maps(&[("a", KEYS), ("b", "text")]), 0));
        for garbage in ["<html>", "{\"keys\":[]}", ""] {
            assert_eq!(kept(&mut last, &[("a", garbage), ("b", "new")]), (maps(&[("a", KEYS), ("b", "new")]), 1));
        }
        let other = KEYS.replace("\"kty\"", "\"kid\":\"1\",\"kty\"");
        assert_eq!(kept(&mut last, &[("a", &other)]), (maps(&[("a", &other)]), 0));
        assert_eq!(kept(&mut last, &[("b", "x")]), (maps(&[("b", "x")]), 0));
        assert_eq!(kept(&mut last, &[("a", "garbage")]), (maps(&[("a", "garbage")]), 0));
    }

    #[test]
    fn an_object_that_was_away_meanwhile_is_taken_as_it_is() {
        let mut last = LastKeySets::default();
        kept(&mut last, &[("a", KEYS)]);
        assert_eq!(last.keep(&mut Objects::default()).count(), 0);
        assert_eq!(kept(&mut last, &[("a", "garbage")]), (maps(&[("a", "garbage")]), 0));
    }
}
