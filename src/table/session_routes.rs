//! Whether a table still serves the route of a session.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;

use super::{ListenerTable, RoutingTable};
use crate::model::{MatchInput, RouteId};

/// The request that opened a session, the route that it took and the member that it is with.
#[derive(Debug, Clone, Copy)]
pub struct SessionOrigin<'a> {
    /// Frontend port.
    pub port: u16,
    /// Host of the request: lower case, without port.
    pub host: &'a str,
    /// What the conditions of routes look at.
    pub input: MatchInput<'a>,
    /// Identity of the route. `None`: a route that is known not to be in the table.
    pub route: Option<&'a RouteId>,
    /// Address of the member.
    pub member: SocketAddr,
}

/// The routes of a table, as sessions need them. It remembers which routes it has looked for, since many sessions have one route.
#[derive(Debug)]
pub struct SessionRoutes<'a> {
    table: &'a RoutingTable,
    /// Whether the table has a route, by port and identity. Looked for only where another route takes the session's requests.
    present: RefCell<HashMap<(u16, RouteId), bool>>,
}

impl RoutingTable {
    /// The routes, as sessions need them.
    pub fn session_routes(&self) -> SessionRoutes<'_> {
        SessionRoutes { table: self, present: RefCell::default() }
    }
}

impl SessionRoutes<'_> {
    /// Whether a session may stay. It may if its route is still in the table, whatever the route does by now; or if the route that
    /// would take its request today leads to its member.
    pub fn covers(&self, session: &SessionOrigin<'_>) -> bool {
        let Some(listener) = self.table.listener(session.port) else { return false };
        let found = listener.find(session.host, session.input);
        let is_its_own = || found.is_some_and(|target| session.route.is_some_and(|route| target.has_id(route)));
        let leads_to_member = || found.is_some_and(|target| target.leads_to(session.member));
        is_its_own() || leads_to_member() || session.route.is_some_and(|route| self.has(listener, session.port, route))
    }

    fn has(&self, listener: &ListenerTable, port: u16, route: &RouteId) -> bool {
        let mut present = self.present.borrow_mut();
        *present.entry((port, route.clone())).or_insert_with(|| listener.has_route(route))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use imbl::OrdMap;

    use super::*;
    use crate::model::{
        Address, AddressPolicy, Balance, Endpoint, EndpointState, Host, HostPattern, Listener, Model, ObjectRef, Pool,
        PoolId, Probe, Protocol, Route, Transport, Weight,
    };
    use crate::pool::{AffinityKey, Registry};
    use crate::table::compile;
    use crate::table::target::tests::route;

    /// A model with one route for any host on port 80, and a pool with one member by each name.
    fn model(route: Arc<Route>, members: &[(&str, SocketAddr)]) -> Model {
        let endpoint = |address| Endpoint {
            address: Address::Socket(address),
            state: EndpointState::Ready,
            weight: Weight::ONE,
            target: None,
        };
        let pool = |(name, address): &(&str, SocketAddr)| {
            let pool = Pool {
                endpoints: [endpoint(*address)].into_iter().collect(),
                transport: Transport::Http,
                probe: Some(Probe::arm_default(false)),
                balance: Balance::RoundRobin,
                min_up: 0,
                is_component: false,
            };
            (PoolId((*name).into()), Arc::new(pool))
        };
        let host = Arc::new(Host { certificate: None, tls: None, routes: vec![route] });
        let hosts = OrdMap::unit(HostPattern::Any, host);
        let listener = Listener { protocol: Protocol::Http, hosts, default_certificate: None };
        Model {
            listeners: BTreeMap::from([(80, listener)]),
            pools: members.iter().map(pool).collect(),
            ..Model::default()
        }
    }

    #[test]
    fn a_session_stays_when_weights_change_and_where_any_pool_of_the_new_route_has_its_member() {
        // Never driven, so that no member is probed.
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let registry = Registry::new(
            runtime.handle().clone(),
            AddressPolicy { allow_loopback: true, ..AddressPolicy::default() },
            AffinityKey::random(),
        );
        let [a, b, gone]: [SocketAddr; 3] = [1, 2, 3].map(|port| ([127, 0, 0, 1], port).into());
        let before = compile(&model(route(&[("a", 3), ("b", 1)]), &[]), 1, &OrdMap::new());
        let id = before.listener(80).and_then(|listener| listener.route_ids().next()).expect("a route");

        let other = Route {
            owner: Arc::new(ObjectRef::new(id.owner.kind, "default", "other")),
            ..Route::clone(&route(&[("a", 1), ("b", 0)]))
        };
        for (changed, member, expected) in [
            (route(&[("a", 1), ("b", 3)]), b, true),
            (route(&[("a", 1), ("b", 0)]), b, true),
            (route(&[("a", 1)]), b, true),
            (route(&[("a", 1)]), gone, true),
            (Arc::new(other.clone()), a, true),
            (Arc::new(other.clone()), b, true),
            (Arc::new(other), gone, false),
        ] {
            let model = model(changed, &[("a", a), ("b", b)]);
            let table = before.update(&model, 2, &registry.apply(&model.pools, &model.departing));
            let input = MatchInput::from_path("/");
            let origin = SessionOrigin { port: 80, host: "chat.example", input, route: Some(&id), member };
            assert_eq!(table.session_routes().covers(&origin), expected, "{member}");
        }
    }
}
