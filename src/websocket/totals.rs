//! The totals of the sessions of one object's routes.

use std::collections::BTreeMap;

use super::counters::CounterValues;
use super::end::End;
use super::handshake_outcome::HandshakeOutcome;
use super::session::Session;
use super::totals_key::TotalsKey;

/// Upper bounds of the classes of durations, in seconds.
pub(super) const DURATION_BOUNDS: [f64; 10] =
    [1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0, 604_800.0];

/// The totals of the sessions of one object's routes, by what is spoken in them.
#[derive(Debug, Clone, Default)]
pub struct ObjectTotals {
    /// Of WebSocket sessions.
    pub websocket: Totals,
    /// Of sessions of other protocols, by the protocol's label.
    pub others: BTreeMap<Box<str>, Totals>,
    /// Of streams without HTTP, by protocol.
    pub streams: BTreeMap<&'static str, Totals>,
}

/// The totals of sessions of one protocol.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Sessions that are open.
    pub open: u64,
    /// Handshakes, by outcome.
    pub handshakes: BTreeMap<&'static str, u64>,
    /// Ended sessions, by cause.
    pub ended: BTreeMap<&'static str, u64>,
    /// Ended sessions, by who closed first and with which status.
    pub closes: BTreeMap<CloseClass, u64>,
    /// Bytes and frames from clients to backends.
    pub up: CounterValues,
    /// Bytes and frames from backends to clients.
    pub down: CounterValues,
    /// Ended sessions, by class of duration. Each class is counted alone; the last has no upper bound.
    pub durations: [u64; DURATION_BOUNDS.len() + 1],
    /// The sum of the durations of ended sessions, in seconds.
    pub total_duration: f64,
}

/// How sessions were closed: who closed first, and the class of the Close status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CloseClass {
    /// See [`End::initiator`].
    pub initiator: &'static str,
    /// The status; a class of statuses where there are many (`3xxx`), and `none` for no Close frame.
    pub code: &'static str,
}

impl ObjectTotals {
    pub(super) fn of(&mut self, key: TotalsKey<'_>) -> &mut Totals {
        match key {
            TotalsKey::WebSocket => &mut self.websocket,
            TotalsKey::Upgrade(protocol) => self.others.entry(protocol.into()).or_default(),
            TotalsKey::Stream(protocol) => self.streams.entry(protocol).or_default(),
        }
    }

    /// Whether a session is open.
    pub(super) fn has_open(&self) -> bool {
        let mut further = self.others.values().chain(self.streams.values());
        self.websocket.open > 0 || further.any(|totals| totals.open > 0)
    }
}

impl Totals {
    pub(super) fn opened(&mut self) {
        self.open += 1;
        *self.handshakes.entry(HandshakeOutcome::Opened.name()).or_default() += 1;
    }

    pub(super) fn refused(&mut self, outcome: HandshakeOutcome) {
        *self.handshakes.entry(outcome.name()).or_default() += 1;
    }

    /// Adds the counters of a session.
    pub(super) fn add(&mut self, session: &Session) {
        self.up.add(&session.up.values());
        self.down.add(&session.down.values());
    }

    pub(super) fn ended(&mut self, session: &Session, end: &End) {
        self.open = self.open.saturating_sub(1);
        self.add(session);
        *self.ended.entry(end.name()).or_default() += 1;
        let class = CloseClass { initiator: end.initiator(), code: code_class(end.code) };
        *self.closes.entry(class).or_default() += 1;
        let seconds = session.opened.elapsed().as_secs_f64();
        let class = DURATION_BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(DURATION_BOUNDS.len());
        self.durations[class] += 1;
        self.total_duration += seconds;
    }
}

/// The class of a Close status. There are few, so that a peer cannot make a metric grow.
fn code_class(code: Option<u16>) -> &'static str {
    match code {
        None => "none",
        Some(1000) => "1000",
        Some(1001) => "1001",
        Some(1002) => "1002",
        Some(1003) => "1003",
        Some(1005) => "1005",
        Some(1007) => "1007",
        Some(1008) => "1008",
        Some(1009) => "1009",
        Some(1010) => "1010",
        Some(1011) => "1011",
        Some(1012) => "1012",
        Some(1013) => "1013",
        Some(1014) => "1014",
        Some(3000..4000) => "3xxx",
        Some(4000..5000) => "4xxx",
        Some(_) => "invalid",
    }
}
