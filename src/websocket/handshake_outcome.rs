//! What a WebSocket handshake, an upgrade or a connection of a stream came to: the values of the label `outcome`.

macro_rules! handshake_outcomes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What a WebSocket handshake, an upgrade or a connection of a stream came to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum HandshakeOutcome { $($(#[doc = $doc])+ $variant,)+ }

        impl HandshakeOutcome {
            /// Every outcome, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The value of the label.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Its meaning, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }
    };
}

handshake_outcomes! {
    /// The session was opened.
    Opened = "opened",
    /// The request is no valid handshake: 400, or 426 for another version than 13.
    Malformed = "malformed",
    /// A policy of the route does not admit it: its address, its token, a prohibited target.
    Denied = "denied",
    /// No member answered: 502, 503 or 504, or 408 for the client.
    BackendFailed = "backend_failed",
    /// The member answered, but not with 101; the client got that answer.
    BackendRefused = "backend_refused",
    /// The member accepted, but not in a way that opens a session: 502.
    InvalidAnswer = "invalid_answer",
    /// The client left before the answer.
    Abandoned = "abandoned",
    /// The gateway has `--max-sessions` sessions open: 503.
    GatewayLimit = "gateway_limit",
    /// The route has `max-sessions` sessions open: 503.
    RouteLimit = "route_limit",
    /// The client has `max-sessions-per-client` sessions open on this route: 429.
    ClientLimit = "client_limit",
    /// The route has had `handshake-rate` handshakes within a second: 429.
    RateLimit = "rate_limit",
    /// The TLS handshake of a stream's client failed.
    TlsFailed = "tls_failed",
    /// The rule of a stream can't serve: its object has a report that says why.
    Unavailable = "unavailable",
}
