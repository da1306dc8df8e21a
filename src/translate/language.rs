//! What the translator asks of a language: of Ingresses, of ApplicationGateways.
//!
//! A language reads its objects, claims ports and hosts for them, and builds routes for the hosts that its claims hold.
//! Languages know nothing of each other. Where they meet, in claims, `claim` decides; in what order they are asked,
//! the translator.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use crate::model::{HostPattern, Kind};
use crate::source::{Key, Snapshot};

use super::assembly::{Assembly, Replaced};
use super::change::Changes;
use super::claim::{Claims, LanguageClaims};
use super::class::{ClassGateway, Classes};
use super::draft::Draft;
use super::lookup::Lookup;
use super::refs::{Refs, ReverseRefs};
use super::report::Reports;
use super::work::Work;

/// A language in which users write routes.
///
/// An update of the translator calls it in this order:
///
/// ```text
/// class_gateway           objects that parameters of classes name
/// changed, read           objects that have changed, or name something that has
/// claims                  ports are given to the oldest claim
/// mark_dependents (n x)   what depends on a host that was touched, until nothing is added
///   or all_units          everything, where the protocol of a port has changed
/// build, put (each unit)  hosts and objects
/// count_routes, compact
/// ```
pub(super) trait Language: fmt::Debug + Send {
    /// The kind of its objects.
    fn kind(&self) -> Kind;

    /// The objects that have come, gone or changed; all of them, where IngressClasses have.
    fn changed<'c>(&self, changes: &'c Changes, snapshot: &Snapshot) -> Cow<'c, BTreeSet<Key>>;

    /// An object as the parameters of an IngressClass, if the language has such objects and this one is there.
    fn class_gateway(&self, _key: &Key, _snapshot: &Snapshot, _reports: &mut Reports) -> Option<ClassGateway> {
        None
    }

    /// Everything that an object of the snapshot refers to; nothing, if it is not served.
    fn refs(&self, key: &Key, snapshot: &Snapshot, classes: &Classes) -> Refs;

    /// Reads objects again. Adds the objects that have to be built to `units`, and gives the hosts of which claims or
    /// routes may have changed.
    fn read(
        &mut self,
        changed: &ChangedObjects<'_>,
        context: &mut ReadContext<'_>,
        units: &mut BTreeSet<BuildUnit>,
    ) -> BTreeSet<HostPattern>;

    /// What its objects claim.
    fn claims(&self) -> &dyn LanguageClaims;

    /// Every unit, those that are about to go included.
    fn all_units(&self) -> BTreeSet<BuildUnit>;

    /// Adds to `units` what has to be built again because hosts were touched. Gives the hosts that are touched by that in
    /// turn; some may have been given before.
    fn mark_dependents(
        &self,
        touched: &TouchedHosts,
        claims: &Claims<'_>,
        units: &mut BTreeSet<BuildUnit>,
    ) -> TouchedHosts;

    /// Builds a unit: the routes of the hosts that its claims hold.
    fn build(&self, unit: &BuildUnit, claims: &Claims<'_>, lookup: &Lookup<'_>) -> Draft;

    /// Puts a unit that was built in the place of what it was before. Adds the hosts that differ to `replaced`.
    fn put(&mut self, unit: &BuildUnit, draft: Draft, assembly: &mut Assembly, replaced: &mut Vec<Replaced>);

    /// Takes notice of the hosts that were replaced, of whichever language.
    fn count_routes(&mut self, _replaced: &[Replaced], _assembly: &mut Assembly) {}

    /// Gives back memory that maps took while they grew.
    fn compact(&mut self) {}
}

/// What is built as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BuildUnit {
    /// A host, of all objects of the language that name it.
    Host(HostPattern),
    /// An object, with all its hosts.
    Object(Key),
}

/// The objects of one language that have to be looked at. Those that have changed themselves are in the first set alone.
pub(super) struct ChangedObjects<'a> {
    /// All that has changed, of whichever kind.
    pub(super) changes: &'a Changes,
    /// Objects that have come, gone or changed.
    pub(super) objects: Cow<'a, BTreeSet<Key>>,
    /// Objects that refer to a Service that has changed.
    pub(super) by_service: BTreeSet<Key>,
    /// Objects that refer to a Secret or ConfigMap that has changed.
    pub(super) by_config: BTreeSet<Key>,
}

impl ChangedObjects<'_> {
    /// Every object, each once, for a language whose objects are read and built as a whole.
    pub(super) fn all(&self) -> BTreeSet<&Key> {
        self.objects.iter().chain(&self.by_service).chain(&self.by_config).collect()
    }
}

/// What a language reads its objects with.
pub(super) struct ReadContext<'a> {
    pub(super) classes: &'a Classes,
    pub(super) lookup: Lookup<'a>,
    pub(super) refs: &'a mut ReverseRefs,
    pub(super) assembly: &'a mut Assembly,
    pub(super) work: &'a mut Work,
}

/// Hosts on which other parts of the model may depend.
#[derive(Debug, Default)]
pub(super) struct TouchedHosts {
    /// Hosts of which claims or routes may have changed.
    pub(super) hosts: BTreeSet<HostPattern>,
    /// Hosts whose certificate has come or gone: those that they cover may be redirected to HTTPS, or no more.
    pub(super) certified: BTreeSet<HostPattern>,
}

impl TouchedHosts {
    pub(super) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.certified.is_empty()
    }

    /// Adds those of `other`.
    pub(super) fn extend(&mut self, other: Self) {
        self.hosts.extend(other.hosts);
        self.certified.extend(other.certified);
    }

    /// Removes those that are in `seen`.
    pub(super) fn remove_seen(&mut self, seen: &Self) {
        self.hosts.retain(|host| !seen.hosts.contains(host));
        self.certified.retain(|host| !seen.certified.contains(host));
    }
}
