//! What `load drive` is told. Durations are in seconds, rates a second, latencies in microseconds. An answer is
//! `{"ok":true,…}` or `{"ok":false,"error":…}`; where something can fail, it says `failed` (a count), `reasons` (the count
//! of each) and `first_error`.

use serde::Deserialize;

/// A command.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Command {
    /// Requests for so long: `requests` (that were answered `status`), `bytes`, `seconds`, `latency`, `gap` (the longest time
    /// between two answers). Without a rate as fast as they go, one at a time on each connection or stream; with one,
    /// latency counts from when a request was due.
    Http {
        url: String,
        host: Option<String>,
        connections: usize,
        #[serde(default = "one")]
        streams: usize,
        #[serde(default)]
        version: Version,
        seconds: f64,
        rate: Option<f64>,
        /// One more header, `Name: value`. Over HTTP/1.1 alone.
        header: Option<String>,
        #[serde(default = "ok")]
        status: u16,
        ca: Option<String>,
    },
    /// Begins requests that go on beside the commands that follow.
    Traffic { url: String, host: Option<String>, connections: usize, rate: f64, ca: Option<String> },
    /// The same as of `http`, with the `latency` since this was said last.
    TrafficSoFar,
    /// Ends them; the same as of `http`.
    TrafficEnd,
    /// New connections, each closed by the client after one request or none: `count` (of those that went well),
    /// `resumed`, `seconds`, `latency`. Handshakes are resumed as far as there are tickets; the first ones leave some
    /// for those after, of later commands too.
    Connect {
        url: String,
        host: Option<String>,
        count: usize,
        #[serde(default = "one")]
        concurrency: usize,
        #[serde(default)]
        tls: Tls,
        #[serde(default)]
        request: bool,
        ca: Option<String>,
        #[serde(default = "a_minute")]
        timeout: f64,
    },
    /// Asks on new connections until the answer is that: `seconds` since the command was read, `asked` (how often).
    Until {
        url: String,
        host: Option<String>,
        /// Instead of the URL's.
        path: Option<String>,
        status: u16,
        /// The answer's `X-Backend`.
        backend: Option<String>,
        ca: Option<String>,
        #[serde(default = "a_minute")]
        timeout: f64,
    },
    /// Opens WebSocket sessions into a group: `opened`, `seconds`, `latency`.
    Open {
        name: String,
        url: String,
        host: Option<String>,
        /// Instead of the URL's.
        path: Option<String>,
        count: usize,
        #[serde(default = "sixteen")]
        concurrency: usize,
        ca: Option<String>,
        #[serde(default = "a_minute")]
        timeout: f64,
    },
    /// Messages and their echoes: `messages` and `bytes` (each way counted), `seconds`, `latency`.
    Echo {
        name: String,
        size: usize,
        #[serde(default = "one")]
        rounds: u64,
        #[serde(default = "one")]
        in_flight: u64,
        sessions: Option<usize>,
        #[serde(default = "a_minute")]
        timeout: f64,
    },
    /// The same, each when it is due, over all sessions in turn.
    Paced { name: String, size: usize, rate: f64, seconds: f64 },
    /// So many bytes sent and echoed, in messages of `size`, over the first `sessions`.
    Bulk {
        name: String,
        size: usize,
        bytes: u64,
        sessions: usize,
        #[serde(default = "a_minute")]
        timeout: f64,
    },
    /// `open`, `cut` (ended by the other side), and the `codes` of those: of its Close, or `eof`, or an error.
    State { name: String },
    /// Closes a group's sessions: `closed`, `seconds`.
    Close {
        name: String,
        #[serde(default = "a_minute")]
        timeout: f64,
    },
}

/// Of HTTP. 2 over clear text is prior knowledge.
#[derive(Default, Deserialize, PartialEq)]
pub(crate) enum Version {
    #[default]
    #[serde(rename = "1.1")]
    Http1,
    #[serde(rename = "2")]
    Http2,
}

/// The handshakes of new connections.
#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tls {
    #[default]
    None,
    Full,
    Resumed,
}

fn one<T: From<u8>>() -> T {
    1.into()
}

fn ok() -> u16 {
    200
}

fn sixteen() -> usize {
    16
}

fn a_minute() -> f64 {
    60.0
}
