//! What is counted of the sessions of one object's routes.

use std::collections::BTreeMap;

use super::counters::Seen;
use super::relay::End;
use super::session::Session;

/// Upper bounds of the classes of durations, in seconds.
pub(super) const DURATIONS: [f64; 10] =
    [1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0, 604_800.0];

/// Sessions of one object's routes, counted.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Open now.
    pub open: u64,
    /// Handshakes, by what came of them.
    pub handshakes: BTreeMap<&'static str, u64>,
    /// Sessions ended, by cause.
    pub ended: BTreeMap<&'static str, u64>,
    /// The same, by who closed first and with which status.
    pub closes: BTreeMap<(&'static str, &'static str), u64>,
    /// From clients to backends.
    pub up: Seen,
    /// From backends to clients.
    pub down: Seen,
    /// Ended sessions, by class of duration: each class alone, the last without a bound.
    pub durations: [u64; DURATIONS.len() + 1],
    /// Of ended sessions, in seconds.
    pub duration: f64,
}

impl Totals {
    pub(super) fn opened(&mut self) {
        self.open += 1;
        *self.handshakes.entry("opened").or_default() += 1;
    }

    pub(super) fn refused(&mut self, outcome: &'static str) {
        *self.handshakes.entry(outcome).or_default() += 1;
    }

    /// Adds what a session has counted.
    pub(super) fn add(&mut self, session: &Session) {
        self.up.add(&session.up.seen());
        self.down.add(&session.down.seen());
    }

    pub(super) fn ended(&mut self, session: &Session, end: &End) {
        self.open = self.open.saturating_sub(1);
        self.add(session);
        *self.ended.entry(end.name()).or_default() += 1;
        *self.closes.entry((end.initiator(), class(end.code))).or_default() += 1;
        let seconds = session.opened.elapsed().as_secs_f64();
        let at = DURATIONS.iter().position(|bound| seconds <= *bound).unwrap_or(DURATIONS.len());
        self.durations[at] += 1;
        self.duration += seconds;
    }
}

/// The class of a Close status, of which there are few.
fn class(code: Option<u16>) -> &'static str {
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
