//! Interning: equal parts of routes and pools become one object in memory. Many routes lead to one Service, and most
//! routes are forwarded with equal options.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::recent::Recent;
use crate::model::{
    Case, Endpoint, Endpoints, ErrorPages, ForwardOptions, Pattern, PatternError, Pool, RewriteSet, TlsPolicy,
};

/// How many unused pools and lists of endpoints are tolerated, however few are in use.
const MIN_UNUSED: usize = 16;

/// How many forward options are compared: routes that are made one after the other mostly have equal ones.
const MAX_RECENT_OPTIONS: usize = 8;

/// How many sets of rewrite rules, of pages, and TLS policies are compared: a few are those of many objects.
const MAX_RECENT_SETS: usize = 8;

/// The parts that are shared.
#[derive(Debug, Default)]
pub(super) struct Interner {
    endpoints: BTreeSet<Endpoints>,
    pools: BTreeSet<Arc<Pool>>,
    options: Recent<ForwardOptions, MAX_RECENT_OPTIONS>,
    rewrites: Recent<RewriteSet, MAX_RECENT_SETS>,
    pages: Recent<ErrorPages, MAX_RECENT_SETS>,
    tls_policies: Recent<TlsPolicy, MAX_RECENT_SETS>,
    /// Regular expressions by their text: each is compiled once, however often its object is read.
    patterns: BTreeMap<(String, Case), Pattern>,
    /// The count of pools, lists of endpoints and patterns above which unused ones are removed.
    capacity: usize,
}

impl Interner {
    /// Endpoints equal to these, shared with other pools.
    pub(super) fn endpoints(&mut self, endpoints: Vec<Endpoint>) -> Endpoints {
        if let Some(equal) = self.endpoints.get(endpoints.as_slice()) {
            return equal.clone();
        }
        let endpoints = Endpoints::from(endpoints);
        self.endpoints.insert(endpoints.clone());
        endpoints
    }

    /// A pool equal to this one, shared under several identities.
    pub(super) fn pool(&mut self, pool: Pool) -> Arc<Pool> {
        if let Some(equal) = self.pools.get(&pool) {
            return Arc::clone(equal);
        }
        let pool = Arc::new(pool);
        self.pools.insert(Arc::clone(&pool));
        pool
    }

    /// Forward options equal to these, shared with other routes.
    pub(super) fn options(&mut self, options: ForwardOptions) -> Arc<ForwardOptions> {
        self.options.share(options)
    }

    /// A set of rewrite rules equal to this one, shared with other routes.
    pub(super) fn rewrites(&mut self, set: RewriteSet) -> Arc<RewriteSet> {
        self.rewrites.share(set)
    }

    /// Pages equal to these, shared with other routes.
    pub(super) fn pages(&mut self, pages: ErrorPages) -> Arc<ErrorPages> {
        self.pages.share(pages)
    }

    /// A TLS policy equal to this one, shared with other hosts.
    pub(super) fn tls_policy(&mut self, policy: TlsPolicy) -> Arc<TlsPolicy> {
        self.tls_policies.share(policy)
    }

    /// The pattern of a text.
    pub(super) fn pattern(&mut self, text: &str, case: Case) -> Result<Pattern, PatternError> {
        let key = (text.to_owned(), case);
        if let Some(equal) = self.patterns.get(&key) {
            return Ok(equal.clone());
        }
        let pattern = Pattern::compile(text, case)?;
        self.patterns.insert(key, pattern.clone());
        Ok(pattern)
    }

    /// Removes the parts that nobody uses, once the count has doubled since this was last done. The cost
    /// is thus that of what was added.
    pub(super) fn remove_unused(&mut self) {
        if self.count() > self.capacity {
            self.patterns.retain(|_, pattern| pattern.is_shared());
            self.pools.retain(|pool| Arc::strong_count(pool) > 1);
            self.endpoints.retain(Endpoints::is_shared);
            self.capacity = self.count() * 2 + MIN_UNUSED;
        }
    }

    fn count(&self) -> usize {
        self.endpoints.len() + self.pools.len() + self.patterns.len()
    }
}
