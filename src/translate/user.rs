//! Who refers to which Services, Secrets and ConfigMaps, be they there or not: who is to be looked at when one changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Key;

/// Who refers to objects of other kinds, by their names.
#[derive(Debug, Default)]
pub(super) struct Users {
    pub(super) services: Referred,
    pub(super) secrets: Referred,
    pub(super) config_maps: Referred,
}

/// Objects of one kind, and who refers to each.
pub(super) type Referred = BTreeMap<Key, BTreeSet<User>>;

/// One who refers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum User {
    /// An Ingress.
    Ingress(Key),
    /// An ApplicationGateway.
    Gateway(Key),
}

/// What one object refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refers {
    pub(super) services: BTreeSet<Key>,
    pub(super) secrets: BTreeSet<Key>,
    pub(super) config_maps: BTreeSet<Key>,
}

impl Users {
    /// Notes what an object refers to, in the place of what it referred to before.
    pub(super) fn replace(&mut self, user: &User, before: &Refers, now: &Refers) {
        if before == now {
            return;
        }
        let Self { services, secrets, config_maps } = self;
        for (referred, before, now) in [
            (services, &before.services, &now.services),
            (secrets, &before.secrets, &now.secrets),
            (config_maps, &before.config_maps, &now.config_maps),
        ] {
            for key in before.difference(now) {
                let Some(users) = referred.get_mut(key) else { continue };
                users.remove(user);
                if users.is_empty() {
                    referred.remove(key);
                }
            }
            for key in now.difference(before) {
                referred.entry(key.clone()).or_default().insert(user.clone());
            }
        }
    }
}
