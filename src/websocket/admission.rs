//! The limits on sessions and handshakes of each route, and the reason why a session is not admitted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use tokio::time::Instant;

use super::handshake_outcome::HandshakeOutcome;
use super::token_bucket::TokenBucket;
use crate::model::{RouteId, SessionLimits};

/// Why a session is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The gateway has as many sessions as it allows.
    #[error("this gateway has as many sessions open as it may")]
    Gateway,
    /// The route has as many sessions as it allows.
    #[error("this route has as many sessions open as it may")]
    Route,
    /// The client has as many sessions by this route as one client may.
    #[error("you have as many sessions open here as one client may")]
    Client,
    /// The route has had as many handshakes within a second as it allows.
    #[error("more handshakes a second than this route takes")]
    Rate,
}

impl Rejected {
    /// The outcome of the handshake.
    pub fn outcome(self) -> HandshakeOutcome {
        match self {
            Self::Gateway => HandshakeOutcome::GatewayLimit,
            Self::Route => HandshakeOutcome::RouteLimit,
            Self::Client => HandshakeOutcome::ClientLimit,
            Self::Rate => HandshakeOutcome::RateLimit,
        }
    }

    /// The value of `Retry-After`, in seconds.
    pub fn retry_after(self) -> u32 {
        match self {
            Self::Rate => 1,
            Self::Gateway | Self::Route | Self::Client => 10,
        }
    }
}

/// The address that stands for a client: an IPv4 address, or the 64 bits of IPv6 that one site is given.
fn client_prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::from(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

/// The sessions that have been admitted, by route. A route without sessions takes no memory once its rate is whole again.
#[derive(Debug, Default)]
pub(super) struct Admission(HashMap<Arc<RouteId>, RouteUsage>);

/// How much of its limits a route uses.
#[derive(Debug, Default)]
struct RouteUsage {
    sessions: u32,
    /// Sessions by client, once the route limits them.
    clients: Option<HashMap<IpAddr, u32>>,
    handshakes: Option<TokenBucket>,
}

impl Admission {
    /// Admits a session, if the limits allow it; returns the identity that the sessions of the route share. `clients` gives the
    /// clients of the route's open sessions.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(super) fn enter(
        &mut self,
        route: &RouteId,
        client: IpAddr,
        limits: SessionLimits,
        clients: impl FnOnce() -> Vec<IpAddr>,
    ) -> Result<Arc<RouteId>, Rejected> {
        let (now, client) = (Instant::now(), client_prefix(client));
        let shared = self.0.get_key_value(route).map(|(shared, _)| Arc::clone(shared));
        let route = shared.unwrap_or_else(|| Arc::new(route.clone()));
        let usage = self.0.entry(Arc::clone(&route)).or_default();
        if limits.sessions.is_some_and(|limit| usage.sessions >= limit) {
            return Err(Rejected::Route);
        }
        if let Some(limit) = limits.sessions_per_client {
            let by_client = usage.clients.get_or_insert_with(|| {
                let mut by_client = HashMap::new();
                clients().into_iter().for_each(|client| *by_client.entry(client_prefix(client)).or_default() += 1);
                by_client
            });
            if by_client.get(&client).copied().unwrap_or_default() >= limit {
                return Err(Rejected::Client);
            }
        }
        if let Some(rate) = limits.handshake_rate {
            let bucket = usage.handshakes.get_or_insert_with(|| TokenBucket::new(rate, now));
            if !bucket.take(rate, now) {
                return Err(Rejected::Rate);
            }
        }
        usage.sessions += 1;
        if let Some(by_client) = &mut usage.clients {
            *by_client.entry(client).or_default() += 1;
        }
        Ok(route)
    }

    /// Counts a session less.
    pub(super) fn leave(&mut self, route: &RouteId, client: IpAddr) {
        let Some(usage) = self.0.get_mut(route) else { return };
        usage.sessions = usage.sessions.saturating_sub(1);
        if let Some(by_client) = &mut usage.clients
            && let Entry::Occupied(mut own) = by_client.entry(client_prefix(client))
        {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
        if usage.sessions == 0 && usage.handshakes.is_none() {
            self.0.remove(route);
        }
    }

    /// Frees the memory of routes without sessions.
    pub(super) fn sweep(&mut self) {
        let now = Instant::now();
        let refills = |usage: &RouteUsage| usage.handshakes.as_ref().is_some_and(|bucket| !bucket.is_full(now));
        self.0.retain(|_, usage| usage.sessions > 0 || refills(usage));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{HostPattern, Kind, ObjectRef, PathMatch};

    const LIMITS: SessionLimits = SessionLimits {
        sessions: None,
        sessions_per_client: None,
        handshake_rate: None,
        message_size: None,
        message_rate: None,
    };

    impl Admission {
        fn try_enter(&mut self, route: &RouteId, client: IpAddr, limits: &SessionLimits) -> Result<(), Rejected> {
            self.enter(route, client, *limits, Vec::new).map(drop)
        }
    }

    fn route_of(name: &str) -> RouteId {
        RouteId {
            owner: Arc::new(ObjectRef::new(Kind::Ingress, "default", name)),
            host: HostPattern::Any,
            matches: PathMatch::Any.into(),
        }
    }

    fn client(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    #[tokio::test(start_paused = true)]
    async fn each_limit_is_kept_and_who_leaves_makes_room() {
        let (mut admission, route) = (Admission::default(), route_of("a"));
        let limits = SessionLimits { sessions: Some(3), sessions_per_client: Some(2), ..LIMITS };
        assert_eq!(
            [1, 1, 1].map(|n| admission.try_enter(&route, client(n), &limits)),
            [Ok(()), Ok(()), Err(Rejected::Client)]
        );
        assert_eq!([2, 3].map(|n| admission.try_enter(&route, client(n), &limits)), [Ok(()), Err(Rejected::Route)]);
        assert_eq!(admission.try_enter(&route_of("b"), client(1), &limits), Ok(()), "each route for itself");
        admission.leave(&route, client(1));
        assert_eq!(admission.try_enter(&route, client(1), &limits), Ok(()));
        for number in [1, 1, 2] {
            admission.leave(&route, client(number));
        }
        admission.leave(&route_of("b"), client(1));
        assert!(admission.0.is_empty());
    }

    #[tokio::test]
    async fn a_limit_that_comes_later_counts_those_who_are_in_already() {
        let (mut admission, route) = (Admission::default(), route_of("a"));
        for number in [1, 1, 2] {
            assert_eq!(admission.try_enter(&route, client(number), &LIMITS), Ok(()));
        }
        let limits = SessionLimits { sessions: Some(5), sessions_per_client: Some(2), ..LIMITS };
        let inside = || vec![client(1), client(1), client(2)];
        assert_eq!(admission.enter(&route, client(1), limits, inside).err(), Some(Rejected::Client));
        assert_eq!(admission.try_enter(&route, client(2), &limits), Ok(()));
        assert_eq!(admission.try_enter(&route, client(3), &limits), Ok(()));
        assert_eq!(admission.try_enter(&route, client(4), &limits), Err(Rejected::Route));
        for number in [1, 1, 2, 2, 3] {
            admission.leave(&route, client(number));
        }
        assert!(admission.0.is_empty());
    }

    #[tokio::test]
    async fn addresses_of_one_ipv6_site_are_one_client() {
        let (mut admission, route) = (Admission::default(), route_of("a"));
        let limits = SessionLimits { sessions_per_client: Some(1), ..LIMITS };
        let [one, same, other] =
            ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"].map(|ip| ip.parse().expect("one"));
        assert_eq!(admission.try_enter(&route, one, &limits), Ok(()));
        assert_eq!(admission.try_enter(&route, same, &limits), Err(Rejected::Client));
        assert_eq!(admission.try_enter(&route, other, &limits), Ok(()));
        admission.leave(&route, same);
        assert_eq!(admission.try_enter(&route, one, &limits), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_a_second_s_worth_at_once_and_then_one_by_one() {
        let (mut admission, route) = (Admission::default(), route_of("a"));
        let limits = SessionLimits { handshake_rate: Some(10), ..LIMITS };
        let mut enter = |count| (0..count).filter(|_| admission.try_enter(&route, client(1), &limits).is_ok()).count();
        assert_eq!(enter(15), 10);
        tokio::time::advance(Duration::from_millis(300)).await;
        assert_eq!(enter(15), 3);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(enter(15), 10);
    }
}
