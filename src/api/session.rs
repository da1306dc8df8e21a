//! Settings of WebSocket sessions as users write them. Each stands in one list with its meaning, values and default: the
//! annotations, the fields of an ApplicationGateway, their schema, their readers and the reference pages are made from
//! it. What a setting does belongs to `translate` and `websocket`.
//!
//! A new setting is a line in that list, a field of `model::WebSocket`, and its conversion in `translate::websocket`.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use std::time::Duration;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::value::DefaultValue::{self, Amount, Words};
use super::value::{AllowedValues, ByteSize, DAY, MONTH, Number, Seconds, ValueKind, description};

/// Time over which sessions are closed whose pod goes away, or whose rule is removed.
pub type DrainTime = Seconds<1, 3600>;

/// That time, where draining is enabled without one.
pub const DEFAULT_DRAIN_TIME: Duration = Duration::from_secs(30);

/// Time in which a peer answers a ping.
pub const DEFAULT_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes, of the list of settings, [`SessionSettings`], [`WebSocketSettings`] with its reader, and [`SESSION_SETTINGS`].
macro_rules! session_settings {
    ($($(#[doc = $meaning:literal])+ $field:ident: $kind:ty, $annotation:literal, $default:expr;)+) => {
        /// Settings of sessions that somebody has written. `None`: nobody has. Zero stands as it was written: `translate`
        /// reads it as "no limit", "off" or "at once".
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct SessionSettings {
            $($(#[doc = $meaning])+ pub $field: Option<<$kind as ValueKind>::Value>,)+
            /// Time over which sessions are closed whose pod goes away, or whose rule is removed. An ApplicationGateway has
            /// it in `connectionDraining`.
            pub drain: Option<Duration>,
        }

        /// For WebSocket sessions alone.
        #[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct WebSocketSettings {
            $(
                $(#[doc = $meaning])+
                #[serde(default, skip_serializing_if = "Option::is_none")]
                #[schemars(
                    description = description(concat!($($meaning),+), <$kind>::VALUES, $default),
                    range(min = <$kind>::VALUES.min(), max = <$kind>::VALUES.max())
                )]
                pub $field: Option<<$kind as ValueKind>::Field>,
            )+
        }

        impl WebSocketSettings {
            /// The settings. A number that is outside its range is left out, and handed to `refuse`.
            pub fn read(&self, mut refuse: impl FnMut(OutOfRange)) -> SessionSettings {
                SessionSettings {
                    $($field: self.$field.and_then(|field| {
                        <$kind>::from_field(field)
                            .map_err(|value| refuse(OutOfRange::new(stringify!($field), value, <$kind>::VALUES)))
                            .ok()
                    }),)+
                    drain: None,
                }
            }
        }

        /// Every setting that annotations and ApplicationGateways share.
        pub const SESSION_SETTINGS: &[SessionSetting] = &[$(SessionSetting {
            annotation: $annotation,
            values: <$kind>::VALUES,
            default: $default,
            meaning: concat!($($meaning),+).trim_ascii(),
            read: |settings, text| {
                settings.$field = Some(<$kind>::from_text(text)?);
                Ok(())
            },
        },)+];
    };
}

session_settings! {
    /// Silence of a session, in both directions together, after which it is closed (1001). 0: no limit.
    idle_timeout: Seconds<0, MONTH>, "websocket-idle-timeout", Words("the request timeout where one is written, else 3600");

    /// Traffic that ends this silence: any byte except answers to the gateway's own pings, or messages alone. With messages
    /// alone, a session with nothing but pings is idle.
    idle_counts: IdleCounts, "websocket-idle-counts", Words("any");

    /// Silence of a client or a backend after which the gateway sends it a ping. 0: no pings.
    ping_interval: Seconds<0, DAY>, "websocket-ping-interval", Amount(0);

    /// Time in which a peer that was sent a ping must send a byte of any kind. A peer that does not is taken for gone, and the
    /// session ends. No effect without a ping interval.
    ping_timeout: Seconds<1, 3600>, "websocket-ping-timeout", Amount(DEFAULT_PING_TIMEOUT.as_secs());

    /// Age at which a session is closed (1012), give or take a tenth, so that its client comes back and is given a backend
    /// anew. 0: no limit.
    max_age: Seconds<0, MONTH>, "websocket-max-age", Amount(0);

    /// Time after which the sessions on a backend that fails its probe are closed (1012). 0: at once. The default probe of an Ingress
    /// counts only while another backend passes it.
    unhealthy_grace: Seconds<0, DAY>, "websocket-unhealthy-grace", Words("they stay open");

    /// Sessions a minute that the fullest backend gives up while others have notably fewer, by each replica. Each is closed
    /// (1012), so that its client comes back and is given another. 0: none.
    rebalance: Number<0, 60_000>, "websocket-rebalance", Amount(0);

    /// Sessions that may be open at once for each rule (host and path), by each replica. Further handshakes are answered 503
    /// with Retry-After.
    max_sessions: Number<1, 10_000_000>, "websocket-max-sessions", Words("no limit");

    /// Sessions that one client address may have open at once for each rule (host and path), by each replica. Further
    /// handshakes are answered 429 with Retry-After.
    max_sessions_per_client: Number<1, 10_000_000>, "websocket-max-sessions-per-client", Words("no limit");

    /// Handshakes a second for each rule (host and path), by each replica. Further ones are answered 429 with Retry-After.
    handshake_rate: Number<1, 1_000_000>, "websocket-handshake-rate", Words("no limit");

    /// Size of a client's message as it goes over the wire, all fragments together. A session with a larger one is closed
    /// (1009).
    max_message_size: ByteSize<1, { 1 << 40 }>, "websocket-max-message-size", Words("no limit");

    /// Messages, pings and pongs a second that the client of a session may send. A session with more is closed (1008).
    message_rate: Number<1, 1_000_000>, "websocket-message-rate", Words("no limit");

    /// Whether sessions share HTTP/2 connections to HTTPS backends that offer it (RFC 8441). Fewer connections are needed, but
    /// some servers end all sessions of a connection when one ends.
    backend_http2: bool, "websocket-backend-http2", Words("false");
}

/// One setting: a row of the reference page, and how its annotation is read.
#[derive(Debug, Clone, Copy)]
pub struct SessionSetting {
    /// Key of its annotation, without the family's prefix.
    pub annotation: &'static str,
    /// Values that it takes.
    pub values: AllowedValues,
    /// What stands where it is not written.
    pub default: DefaultValue,
    /// What it does.
    pub meaning: &'static str,
    /// Takes in the annotation's value. An error says what was expected.
    pub(super) read: fn(&mut SessionSettings, &str) -> Result<(), String>,
}

/// A number in `webSocket` that is outside its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfRange {
    /// Name of the field: `idleTimeout`.
    pub field: String,
    /// The number.
    pub value: i64,
    /// Smallest and largest number that are allowed.
    pub range: (u64, u64),
}

impl OutOfRange {
    /// `name` is the field's name in Rust.
    fn new(name: &str, value: i64, values: AllowedValues) -> Self {
        Self { field: camel_case(name), value, range: values.range().unwrap_or_default() }
    }
}

/// `idleTimeout` of `idle_timeout`.
fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut begins = false;
    for letter in name.chars() {
        match letter {
            '_' => begins = true,
            _ if std::mem::take(&mut begins) => camel.push(letter.to_ascii_uppercase()),
            _ => camel.push(letter),
        }
    }
    camel
}

/// Traffic that ends a session's silence: Any byte except answers to the gateway's own pings, or Messages alone. With Messages,
/// a session with nothing but pings is idle. Default: Any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum IdleCounts {
    /// Every byte except answers to the gateway's own pings.
    Any,
    /// Messages alone.
    Messages,
}

impl ValueKind for IdleCounts {
    type Value = Self;
    type Field = Self;
    const VALUES: AllowedValues = AllowedValues::Words("any or messages");

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Self::Any),
            "messages" => Ok(Self::Messages),
            _ => Err("any or messages".to_owned()),
        }
    }

    fn from_field(field: Self) -> Result<Self, i64> {
        Ok(field)
    }
}
