//! Where requests are forwarded to, and how.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{Affinity, PoolId, UpgradeProtocols, WebSocket};

/// Forwarding to one pool or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forward {
    /// The pools.
    #[serde(flatten)]
    pub pools: WeightedPools,
    /// How a request is forwarded, whichever pool it goes to. Shared by routes that have equal options.
    #[serde(flatten)]
    pub options: Arc<ForwardOptions>,
}

/// The pools that share the requests of a route, by weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum WeightedPools {
    /// One pool takes every request.
    One {
        /// The pool.
        pool: PoolId,
    },
    /// Each pool takes its share.
    Several {
        /// The pools. Where all weights are 0, requests are refused.
        pools: Box<[WeightedPool]>,
        /// The share of backends that are no valid ones: its requests are answered 500 (Gateway API, HTTPBackendRef).
        #[serde(skip_serializing_if = "is_zero")]
        invalid: u32,
    },
}

/// A pool and its share of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WeightedPool {
    /// The pool.
    pub pool: PoolId,
    /// The share, relative to the sum of all weights of the route. 0: no request.
    pub weight: u32,
}

/// How a request is forwarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForwardOptions {
    /// The `Host` that the backend sees.
    pub host: HostHeader,
    /// How the path changes. `None`: it stays.
    pub rewrite: Option<PathRewrite>,
    /// What becomes of a request whose path has encoded slashes and their like.
    #[serde(skip_serializing_if = "EncodedSlashes::is_default")]
    pub encoded_slashes: EncodedSlashes,
    /// Time for the header of the answer, and the longest silence within its body. It bounds a WebSocket's handshake too.
    pub request_timeout: Duration,
    /// Settings of WebSocket sessions. Sessions of other protocols have them too, but for those about messages and pings.
    pub websocket: Arc<WebSocket>,
    /// Protocols other than WebSocket to which requests may be upgraded. `None`: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_protocols: Option<Arc<UpgradeProtocols>>,
    /// The cookie that brings clients back to their member. `None`: each request may go to another member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Arc<Affinity>>,
}

/// What becomes of a request whose path has `%2F`, `%5C`, `\` or `;`, which some backends take for separators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum EncodedSlashes {
    /// They are data: the path is matched as it is.
    #[default]
    Keep,
    /// The request is refused.
    Refuse,
    /// The path is matched again, with each slash as a slash and without the parameters behind `;`.
    Decode,
}

impl EncodedSlashes {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The `Host` of a forwarded request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum HostHeader {
    /// As the client sent it.
    Preserve,
    /// This one.
    Set(String),
    /// The member's own name or address (`pickHostNameFromBackendAddress`).
    Member,
}

/// Replacement of the start of a path (ARM `backendHttpSettings.path`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathRewrite {
    /// The text that is removed from the front, compared without case: `/pathrule`. Empty: nothing is removed.
    pub strip: String,
    /// The text that is put there: `/override/`.
    pub prepend: String,
}

impl Forward {
    /// Forwarding of every request to one pool.
    pub fn to(pool: PoolId, options: Arc<ForwardOptions>) -> Self {
        Self { pools: WeightedPools::One { pool }, options }
    }
}

impl Deref for Forward {
    type Target = ForwardOptions;

    fn deref(&self) -> &ForwardOptions {
        &self.options
    }
}

fn is_zero(weight: &u32) -> bool {
    *weight == 0
}

impl WeightedPools {
    /// The pools, also those with weight 0, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &PoolId> {
        let (one, several) = match self {
            Self::One { pool } => (Some(pool), &[][..]),
            Self::Several { pools, invalid: _ } => (None, &**pools),
        };
        one.into_iter().chain(several.iter().map(|weighted| &weighted.pool))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pool_is_shown_without_a_weight_and_several_with_theirs() {
        let id = |name: &str| PoolId(name.into());
        let one = WeightedPools::One { pool: id("a") };
        assert_eq!(serde_json::to_string(&one).expect("JSON"), r#"{"pool":"a"}"#);
        let pools = [("a", 3), ("b", 0)].map(|(name, weight)| WeightedPool { pool: id(name), weight });
        let several = WeightedPools::Several { pools: pools.clone().into(), invalid: 0 };
        assert_eq!(
            serde_json::to_string(&several).expect("JSON"),
            r#"{"pools":[{"pool":"a","weight":3},{"pool":"b","weight":0}]}"#
        );
        assert_eq!(several.ids().collect::<Vec<_>>(), [&id("a"), &id("b")]);
        let partly = WeightedPools::Several { pools: pools.into(), invalid: 2 };
        assert!(serde_json::to_string(&partly).expect("JSON").ends_with(r#"],"invalid":2}"#));
    }
}
