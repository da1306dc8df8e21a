//! A route at run time: with the pools that it leads to, and the choice among them.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use imbl::OrdMap;

use crate::model::{Action, HostPattern, ObjectRef, PoolId, Route, RouteId, SessionLimits, WeightedPools};
use crate::pool::Pool;

/// A route, with the pools that it leads to.
#[derive(Debug)]
pub struct Target {
    /// The route as the model has it.
    pub route: Arc<Route>,
    /// The host that the route belongs to.
    host: HostPattern,
    pools: TargetPools,
}

/// The pools of a target, in the order of the model. A pool that is not configured is `None`: its requests are refused.
///
/// Most routes have one pool: it takes no more than a pointer and a tag.
#[derive(Debug)]
enum TargetPools {
    /// One pool; or none, where the route does not forward.
    One(Option<Arc<Pool>>),
    Several(Box<SplitPools>),
}

/// Pools that share requests by weight.
#[derive(Debug)]
struct SplitPools {
    pools: Box<[SplitPool]>,
    /// The sum of all weights, that of invalid backends included.
    total: u64,
}

#[derive(Debug)]
struct SplitPool {
    pool: Option<Arc<Pool>>,
    weight: u32,
}

/// Why no pool was chosen for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPool {
    /// No pool has a weight.
    NoWeight,
    /// The request is of the share of invalid backends.
    InvalidBackend,
}

/// Which pool of a target was chosen for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolIndex(u32);

impl Target {
    /// A route of `host`. `pools` has every pool by its identity.
    pub(crate) fn new(host: &HostPattern, route: Arc<Route>, pools: &OrdMap<PoolId, Arc<Pool>>) -> Self {
        let pools = TargetPools::new(&route.action, pools);
        Self { route, host: host.clone(), pools }
    }

    /// The object that the route was made from. Logs and metrics name it.
    pub fn owner(&self) -> &Arc<ObjectRef> {
        &self.route.owner
    }

    /// The host that the route belongs to.
    pub fn host(&self) -> &HostPattern {
        &self.host
    }

    /// The identity of the route.
    pub fn id(&self) -> RouteId {
        let Route { owner, matches, .. } = &*self.route;
        RouteId { owner: Arc::clone(owner), host: self.host.clone(), matches: matches.clone() }
    }

    /// Writes the identity of the route as it is displayed.
    pub fn write_id(&self, out: &mut impl fmt::Write) -> fmt::Result {
        RouteId::write(out, &self.route.owner, &self.host, &self.route.matches)
    }

    /// Whether [`Self::id`] would give `id`.
    pub fn has_id(&self, id: &RouteId) -> bool {
        let RouteId { owner, host, matches } = id;
        self.route.matches == *matches && self.host == *host && self.route.owner == *owner
    }

    /// Chooses a pool for one request, at random by weight.
    ///
    /// # Errors
    /// No pool has a weight, or the share of invalid backends was drawn.
    pub fn choose_pool(&self) -> Result<PoolIndex, NoPool> {
        self.pools.choose(|total| fastrand::u64(..total))
    }

    /// The pool at a position in the order of the model.
    pub fn pool_at(&self, position: usize) -> PoolIndex {
        PoolIndex(u32::try_from(position).unwrap_or(u32::MAX))
    }

    /// A pool that was chosen. `None`: it is not configured.
    pub fn pool(&self, index: PoolIndex) -> Option<&Arc<Pool>> {
        match &self.pools {
            TargetPools::One(pool) => pool.as_ref(),
            TargetPools::Several(split) => split.pools.get(index.0 as usize)?.pool.as_ref(),
        }
    }

    /// The pools that are configured, also those with weight 0, in the order of the model.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        let (one, several) = match &self.pools {
            TargetPools::One(pool) => (pool.as_ref(), &[][..]),
            TargetPools::Several(split) => (None, &*split.pools),
        };
        one.into_iter().chain(several.iter().filter_map(|split| split.pool.as_ref()))
    }

    /// Whether one of its pools has a member at this address.
    pub fn leads_to(&self, member: SocketAddr) -> bool {
        self.pools().any(|pool| pool.has(member))
    }

    /// The limits of its sessions.
    pub fn limits(&self) -> SessionLimits {
        self.route.action.sessions().map(|settings| settings.limits).unwrap_or_default()
    }
}

impl TargetPools {
    fn new(action: &Action, pools: &OrdMap<PoolId, Arc<Pool>>) -> Self {
        let Some(weighted) = action.weighted_pools() else { return Self::One(None) };
        match weighted {
            WeightedPools::One { pool } => Self::One(pools.get(pool).cloned()),
            WeightedPools::Several { pools: weighted, invalid } => {
                let split = weighted
                    .iter()
                    .map(|weighted| SplitPool { pool: pools.get(&weighted.pool).cloned(), weight: weighted.weight });
                let valid: u64 = weighted.iter().map(|weighted| u64::from(weighted.weight)).sum();
                let total = valid + u64::from(*invalid);
                Self::Several(Box::new(SplitPools { pools: split.collect(), total }))
            }
        }
    }

    /// Chooses by weight. `random` gives a number below the one that it is given; it is not called for a single pool.
    fn choose(&self, random: impl FnOnce(u64) -> u64) -> Result<PoolIndex, NoPool> {
        let split = match self {
            Self::One(_) => return Ok(PoolIndex(0)),
            Self::Several(split) => split,
        };
        if split.total == 0 {
            return Err(NoPool::NoWeight);
        }
        // Each pool has as many points as its weight, and the last ones are those of invalid backends. The point that was drawn lies
        // within those of the pool that is chosen.
        let mut point = random(split.total);
        let chosen = split.pools.iter().position(|pool| {
            let weight = u64::from(pool.weight);
            let is_within = point < weight;
            point = point.saturating_sub(weight);
            is_within
        });
        chosen.and_then(|index| u32::try_from(index).ok()).map(PoolIndex).ok_or(NoPool::InvalidBackend)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{EncodedSlashes, Forward, ForwardOptions, HostHeader, Kind, PathMatch, WeightedPool};

    /// A route that forwards to pools with these weights; a single pool has none.
    pub(crate) fn route(weights: &[(&str, u32)]) -> Arc<Route> {
        let weighted = |(name, weight): &(&str, u32)| WeightedPool { pool: PoolId((*name).into()), weight: *weight };
        let options = ForwardOptions {
            host: HostHeader::Preserve,
            rewrite: None,
            encoded_slashes: EncodedSlashes::Keep,
            request_timeout: Duration::from_secs(30),
            websocket: Arc::default(),
            upgrade_protocols: None,
            affinity: None,
        };
        let pools = WeightedPools::Several { pools: weights.iter().map(weighted).collect(), invalid: 0 };
        Arc::new(Route {
            field: "spec".into(),
            owner: Arc::new(ObjectRef::new(Kind::Ingress, "default", "site")),
            matches: PathMatch::Any.into(),
            action: Action::Forward(Forward { pools, options: Arc::new(options) }),
            policies: None,
        })
    }

    /// How often each pool is chosen, over all numbers that may be drawn.
    fn choices(weights: &[(&str, u32)]) -> Vec<usize> {
        let target = Target::new(&HostPattern::Any, route(weights), &OrdMap::new());
        let total = weights.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let chosen = (0..total).map(|point| target.pools.choose(|_| point).expect("a pool").0 as usize);
        let mut counts = vec![0; weights.len()];
        chosen.for_each(|index| counts[index] += 1);
        counts
    }

    #[test]
    fn pools_are_chosen_in_the_proportion_of_their_weights() {
        assert_eq!(choices(&[("a", 3), ("b", 1)]), [3, 1]);
        assert_eq!(choices(&[("a", 0), ("b", 2), ("c", 0), ("d", 5)]), [0, 2, 0, 5], "weight 0 gets nothing");
        let target = Target::new(&HostPattern::Any, route(&[("a", 3), ("b", 1)]), &OrdMap::new());
        let first = (0..10_000).filter(|_| target.choose_pool() == Ok(PoolIndex(0))).count();
        assert!((7_000..8_000).contains(&first), "{first} of 10,000");
    }

    #[test]
    fn without_any_weight_no_pool_is_chosen() {
        let target = Target::new(&HostPattern::Any, route(&[("a", 0), ("b", 0)]), &OrdMap::new());
        assert_eq!(target.choose_pool(), Err(NoPool::NoWeight));
    }

    #[test]
    fn an_invalid_backend_keeps_its_share() {
        let id = PoolId("a".into());
        let pools = WeightedPools::Several { pools: [WeightedPool { pool: id, weight: 2 }].into(), invalid: 1 };
        let Action::Forward(Forward { options, .. }) = &route(&[]).action else { panic!("it forwards") };
        let action = Action::Forward(Forward { pools, options: Arc::clone(options) });
        let pools = TargetPools::new(&action, &OrdMap::new());
        let invalid = Err(NoPool::InvalidBackend);
        assert_eq!([0, 1, 2].map(|point| pools.choose(|_| point)), [Ok(PoolIndex(0)), Ok(PoolIndex(0)), invalid]);
    }

    #[test]
    fn a_single_pool_costs_neither_a_random_number_nor_an_allocation() {
        let target = TargetPools::One(None);
        assert_eq!(target.choose(|_| panic!("a number is drawn")), Ok(PoolIndex(0)));
        assert!(size_of::<Target>() <= 6 * size_of::<usize>(), "{}", size_of::<Target>());
    }

    #[test]
    fn a_chosen_pool_is_the_one_that_the_model_names() {
        let pools: OrdMap<_, _> =
            ["a", "b"].into_iter().map(|name| (PoolId(name.into()), Pool::for_test(name))).collect();
        let target = Target::new(&HostPattern::Any, route(&[("a", 0), ("missing", 1), ("b", 1)]), &pools);
        let chosen =
            |point| target.pools.choose(|_| point).ok().and_then(|index| target.pool(index)).map(|pool| &*pool.id.0);
        assert_eq!([chosen(0), chosen(1)], [None, Some("b")], "a pool that is not configured keeps its share");
        assert_eq!(target.pools().map(|pool| &*pool.id.0).collect::<Vec<_>>(), ["a", "b"]);
    }
}
