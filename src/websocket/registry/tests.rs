use std::future::poll_fn;

use super::*;
use crate::model::{
    Action, EncodedSlashes, Forward, ForwardOptions, HostHeader, HostPattern, Kind, ObjectRef, PathMatch, PoolId,
    Route, SessionLimits, UpgradeProtocols, WebSocket,
};
use crate::pool::Pool;
use crate::websocket::TotalsKey;
use crate::websocket::handshake_texts::HandshakeTexts;
use crate::websocket::session::SessionProtocol;
use crate::websocket::totals::CloseClass;

const SECOND: Duration = Duration::from_secs(1);

/// A route whose sessions are as `websocket` says.
fn target(websocket: WebSocket) -> Arc<Target> {
    let options = ForwardOptions {
        host: HostHeader::Preserve,
        rewrite: None,
        encoded_slashes: EncodedSlashes::Keep,
        request_timeout: Duration::from_secs(30),
        affinity: None,
        websocket: Arc::new(websocket),
        upgrade_protocols: UpgradeProtocols::new(["*"]).map(Arc::new),
    };
    let action = Action::Forward(Forward::to(PoolId("pool".into()), Arc::new(options)));
    let owner = Arc::new(ObjectRef::new(Kind::Ingress, "default", "site"));
    let route = Route { field: "spec".into(), owner, matches: PathMatch::Any.into(), action, policies: None };
    Arc::new(Target::new(&HostPattern::Any, route.into(), &Default::default()))
}

/// A session in this tenure.
pub(in crate::websocket) fn open(sessions: &Sessions, tenure: &Arc<Tenure>, websocket: WebSocket) -> SessionGuard {
    open_with(sessions, tenure, websocket, SessionProtocol::WebSocket, "chat")
}

/// A session in this tenure, in which `name` is spoken.
pub(in crate::websocket) fn open_with(
    sessions: &Sessions,
    tenure: &Arc<Tenure>,
    websocket: WebSocket,
    protocol: SessionProtocol,
    name: &str,
) -> SessionGuard {
    let (target, client) = (target(websocket), IpAddr::from([192, 0, 2, 1]));
    let permit = sessions.admit(&target, client).expect("within the limits");
    let handshake = HandshakeTexts::new("chat.example", "/ws", "test/1", name, "id");
    let info = SessionInfo {
        target,
        pool: Pool::for_test("pool"),
        port: 80,
        client,
        version: Some(http::Version::HTTP_11),
        protocol,
        token_end: None,
        handshake,
    };
    sessions.open_in(permit, info, Lease::for_test(), Arc::clone(tenure))
}

fn many(sessions: &Sessions, tenure: &Arc<Tenure>, count: usize) -> Vec<SessionGuard> {
    (0..count).map(|_| open(sessions, tenure, WebSocket::default())).collect()
}

/// When the sessions are scheduled to close, in order, and why.
fn moments(guards: &[SessionGuard]) -> Vec<(Instant, CloseCause)> {
    let scheduled = guards.iter().filter_map(|guard| guard.session().scheduled_close());
    let mut moments: Vec<_> = scheduled.map(|close| (close.moment, close.order.cause)).collect();
    moments.sort();
    moments
}

#[tokio::test(start_paused = true)]
async fn pods_that_go_share_one_pace_and_each_session_is_asked_once() {
    let (sessions, tenures) = (Sessions::default(), [Arc::<Tenure>::default(), Arc::default()]);
    let mut guards = many(&sessions, &tenures[0], 500);
    guards.extend(many(&sessions, &tenures[1], 500));
    let stays = many(&sessions, &Arc::default(), 1);
    let began = Instant::now();
    tenures.iter().for_each(|tenure| tenure.depart(30 * SECOND));
    sessions.follow_departures();
    let first = moments(&guards);
    assert_eq!(first.len(), 1_000);
    assert!(first.windows(2).all(|pair| pair[1].0 - pair[0].0 == SECOND / 1_000));
    assert_eq!(first[999], (began + 999 * SECOND / 1_000, CloseCause::MemberDrain));
    sessions.follow_departures();
    assert_eq!((moments(&guards), moments(&stays)), (first, Vec::new()));
    // One that came late, in the same pod's time.
    assert_eq!(moments(&[open(&sessions, &tenures[0], WebSocket::default())]).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pods_sessions_are_closed_within_half_its_grace_or_as_the_route_says() {
    // What the route says, closings a second, and the last of ten.
    let cases = [
        (None, 1_000, 0..1),
        (None, 1, 9..10),
        (Some(20), 1_000, 18..19),
        // No longer than the grace, but for the answers.
        (Some(600), 1_000, 25..27),
    ];
    for (drain, close_rate, last) in cases {
        let sessions = Sessions::new(Limits { close_rate, ..Limits::default() });
        let (tenure, began) = (Arc::<Tenure>::default(), Instant::now());
        let websocket = WebSocket { drain: drain.map(Duration::from_secs), ..WebSocket::default() };
        let guards: Vec<_> = (0..10).map(|_| open(&sessions, &tenure, websocket.clone())).collect();
        tenure.depart(30 * SECOND);
        sessions.follow_departures();
        let told = moments(&guards);
        let took = (told[9].0 - began).as_secs();
        assert!(last.contains(&took), "{drain:?} {close_rate}: {took}");
    }
}

#[tokio::test]
async fn sessions_of_one_pod_share_its_window_though_time_goes_by() {
    let (sessions, tenure) = (Sessions::default(), Arc::<Tenure>::default());
    let websocket = WebSocket { drain: Some(30 * SECOND), ..WebSocket::default() };
    let guards: Vec<_> = (0..1_000).map(|_| open(&sessions, &tenure, websocket.clone())).collect();
    tenure.depart(30 * SECOND);
    sessions.follow_departures();
    let moments = moments(&guards);
    let first = moments.iter().filter(|(moment, _)| *moment < Instant::now() + SECOND).count();
    assert!(first < 60, "{first} of 1,000 in the first of 28 s");
}

#[tokio::test(start_paused = true)]
async fn a_route_that_comes_back_in_time_keeps_its_sessions() {
    let sessions = Sessions::default();
    let guards = many(&sessions, &Arc::default(), 2);
    assert_eq!(sessions.routes_removed(|_| false), 2);
    assert_eq!(sessions.routes_removed(|_| false), 0, "told once");
    assert_eq!(sessions.routes_removed(|_| true), 0);
    assert_eq!(moments(&guards), Vec::new());
    let live = sessions.list();
    sessions.schedule_close(&live, CloseWindow::over(60 * SECOND), &CloseCause::Command.into());
    assert_eq!(sessions.routes_removed(|_| false), 2);
    let why =
        || live[1].scheduled_close().map(|close| (close.moment >= Instant::now() + 6 * SECOND, close.order.cause));
    assert_eq!(why(), Some((false, CloseCause::RouteRemoved)));
    assert_eq!(sessions.routes_removed(|_| true), 0);
    assert_eq!(why(), Some((true, CloseCause::Command)), "what else was asked is asked still");
}

#[tokio::test(start_paused = true)]
async fn each_close_that_is_scheduled_wakes_the_relay() {
    let (sessions, tenure) = (Sessions::default(), Arc::<Tenure>::default());
    let mut guard = open(&sessions, &tenure, WebSocket::default());
    let relay = tokio::spawn(async move {
        poll_fn(|cx| guard.poll_notified(cx)).await;
        let first = guard.session().scheduled_close().map(|close| close.order.cause);
        poll_fn(|cx| guard.poll_notified(cx)).await;
        (first, guard.session().scheduled_close().map(|close| close.order.cause))
    });
    tokio::task::yield_now().await;
    let live = sessions.list();
    sessions.schedule_close(&live, CloseWindow::over(60 * SECOND), &CloseCause::Command.into());
    tokio::task::yield_now().await;
    live[0].schedule_close(Instant::now() + 60 * SECOND, CloseCause::Idle.into());
    assert_eq!(relay.await.expect("woken twice"), (Some(CloseCause::Command), Some(CloseCause::Command)));
}

#[tokio::test(start_paused = true)]
async fn the_earliest_close_wins() {
    let sessions = Sessions::default();
    let guard = open(&sessions, &Arc::default(), WebSocket::default());
    let session = guard.session();
    let cause = || session.scheduled_close().map(|close| close.order.cause);
    session.schedule_close(Instant::now() + 60 * SECOND, CloseCause::Command.into());
    session.schedule_close(Instant::now() + 60 * SECOND, CloseCause::Idle.into());
    assert_eq!(cause(), Some(CloseCause::Command), "of two at one moment the first");
    session.schedule_close(Instant::now() - SECOND, CloseCause::Rebalance.into());
    assert_eq!(cause(), Some(CloseCause::Rebalance));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_opens_during_a_drain_is_closed_too() {
    let sessions = Sessions::default();
    sessions.drain(Duration::ZERO);
    let late = moments(&many(&sessions, &Arc::default(), 1));
    assert_eq!(late, [(Instant::now(), CloseCause::GatewayDrain)]);
    assert_eq!(sessions.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn sessions_whose_route_has_gone_are_closed_and_no_others() {
    let sessions = Sessions::default();
    let guards = many(&sessions, &Arc::default(), 3);
    assert_eq!(sessions.routes_removed(|_| true), 0);
    assert_eq!(sessions.routes_removed(|session| session.id != 2), 1);
    let asked: Vec<_> = guards.iter().map(|guard| guard.session().scheduled_close().map(|close| close.order)).collect();
    assert_eq!(asked, [None, Some(CloseCause::RouteRemoved.into()), None]);
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_neither_jumps_nor_stays_when_a_session_ends_and_its_object_goes() {
    let owner = Arc::new(ObjectRef::new(Kind::Ingress, "default", "site"));
    let sessions = Sessions::default();
    let guard = open(&sessions, &Arc::default(), WebSocket::default());
    sessions.set_served([Arc::clone(&owner)], &BTreeSet::new());
    guard.session().up.add_bytes(100);
    sessions.refused(&owner, TotalsKey::WebSocket, HandshakeOutcome::RouteLimit);
    let before = sessions.totals();
    assert_eq!((before[&owner].websocket.open, before[&owner].websocket.up.bytes), (1, 100));
    tokio::time::advance(5 * SECOND).await;
    guard.end(&End { cause: crate::websocket::end::EndCause::Ordered(CloseCause::Idle.into()), code: Some(1001) });
    let after = sessions.totals().remove(&owner).expect("served").websocket;
    assert_eq!((after.open, after.up.bytes, after.ended.get("idle"), after.durations[1]), (0, 100, Some(&1), 1));
    assert_eq!(after.closes, BTreeMap::from([(CloseClass { initiator: "gateway", code: "1001" }, 1)]));
    assert_eq!(after.handshakes, BTreeMap::from([("opened", 1), ("route_limit", 1)]));
    let guard = open(&sessions, &Arc::default(), WebSocket::default());
    sessions.set_served([], &BTreeSet::from([owner]));
    assert_eq!(sessions.totals().len(), 1, "it has a session");
    drop(guard);
    assert!(sessions.totals().is_empty());
}

#[tokio::test]
async fn sessions_of_other_protocols_are_counted_by_a_name_that_no_client_chooses() {
    let (owner, sessions) = (ObjectRef::new(Kind::Ingress, "default", "site"), Sessions::default());
    let websocket = open(&sessions, &Arc::default(), WebSocket::default());
    let other = |name| open_with(&sessions, &Arc::default(), WebSocket::default(), SessionProtocol::Other, name);
    let (spdy, _x1, _x2) = (other("spdy/3.1"), other("x-1"), other("x-2"));
    websocket.session().up.add_bytes(7);
    spdy.session().down.add_bytes(9);
    let totals = sessions.totals().remove(&owner).expect("sessions");
    assert_eq!((totals.websocket.open, totals.websocket.up.bytes, totals.websocket.down.bytes), (1, 7, 0));
    let others: Vec<_> = totals.others.iter().map(|(name, totals)| (&**name, totals.open, totals.down.bytes)).collect();
    assert_eq!(others, [("SPDY/3.1", 1, 9), ("other", 2, 0)]);
}

#[tokio::test]
async fn limits_are_kept_and_a_handshake_that_fails_gives_its_place_back() {
    let sessions = Sessions::new(Limits { sessions: Some(2), ..Limits::default() });
    let client = IpAddr::from([192, 0, 2, 1]);
    let limits = SessionLimits { sessions: Some(1), ..SessionLimits::default() };
    let (limited, free) = (target(WebSocket { limits, ..WebSocket::default() }), target(WebSocket::default()));
    let permit = sessions.admit(&limited, client).expect("one");
    assert_eq!(sessions.admit(&limited, client).err(), Some(Rejected::Route));
    let other = sessions.admit(&free, client).expect("two");
    assert_eq!(sessions.admit(&free, client).err(), Some(Rejected::Gateway));
    drop((permit, other));
    assert!(sessions.admit(&limited, client).is_ok());
}

#[tokio::test]
async fn a_session_keeps_the_pool_that_its_member_was_chosen_from() {
    let sessions = Sessions::default();
    let guard = open(&sessions, &Arc::default(), WebSocket::default());
    let session = guard.session();
    assert_eq!(session.info.target.pools().count(), 0, "its route leads to no pool any more");
    assert_eq!(session.pool(), "pool");
}
