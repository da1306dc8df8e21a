//! The size limits of the data plane: one list, from which the constants and the table in `docs/limits.md` are made.
//!
//! Time limits stand beside the code that waits.

use std::fmt;

/// One row of the table of size limits.
#[derive(Debug, Clone, Copy)]
pub struct SizeLimit {
    /// What is limited.
    pub subject: &'static str,
    /// The limit, with its unit.
    pub limit: Quantity,
    /// What happens beyond it.
    pub beyond: &'static str,
}

/// A number with its unit: `64 KiB`, `100`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// A size in memory or on the wire.
    Bytes(u64),
    /// A number of things, which the subject names.
    Count(u64),
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KIB: u64 = 1024;
        const MIB: u64 = 1024 * KIB;
        match *self {
            Self::Bytes(bytes) if bytes >= MIB && bytes % MIB == 0 => write!(f, "{} MiB", bytes / MIB),
            Self::Bytes(bytes) if bytes >= KIB && bytes % KIB == 0 => write!(f, "{} KiB", bytes / KIB),
            Self::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

macro_rules! size_limits {
    ($($subject:literal, $unit:ident: $(#[doc = $doc:literal])+ $name:ident: $number:ty = $value:expr;)+) => {
        $(
            #[doc = $subject]
            #[doc = ""]
            $(#[doc = $doc])+
            pub(in crate::proxy) const $name: $number = $value;
        )+

        /// Every size limit of the data plane, in the order of the documentation.
        pub const SIZE_LIMITS: &[SizeLimit] = &[$(SizeLimit {
            subject: $subject,
            limit: Quantity::$unit($name as u64),
            beyond: concat!($($doc,)+).trim_ascii(),
        },)+];
    };
}

size_limits! {
    "header of a client's request: what it has, or would have, in HTTP/1.1", Bytes:
    /// Answered 431 (RFC 6585 section 5), `HeaderTooLarge`; 414 over HTTP/1.1, if its first line alone is larger. Over HTTP/2 the connection and
    /// its other streams go on.
    MAX_HEADER_BYTES: usize = 64 * 1024;

    "header fields of a client's request; over HTTP/2, `:authority` is one, and all cookies are one", Count:
    /// Answered 431, `HeaderTooLarge`.
    MAX_HEADER_FIELDS: usize = 100;

    "what a client may still send over HTTP/1.1 after its last answer, so that it can read that", Bytes:
    /// The connection is reset.
    MAX_LINGER_BYTES: usize = 64 * 1024 * 1024;

    "header of a client's request, HTTP/2, of which a 431 still has a reason and a record; counted as in RFC 9113 section 6.5.2", Bytes:
    /// Answered 431 alone; beyond four times this, the connection ends (ENHANCE_YOUR_CALM). Announced as SETTINGS_MAX_HEADER_LIST_SIZE.
    MAX_HTTP2_HEADER_LIST_BYTES: u32 = 320 * 1024;

    "host of a client's request, without its port", Bytes:
    /// Answered 400, `MalformedRequest`. No name is longer (RFC 1035 section 2.3.4).
    MAX_HOST_BYTES: usize = 255;

    "requests at once on one HTTP/2 connection of a client", Count:
    /// The stream is refused. Announced as SETTINGS_MAX_CONCURRENT_STREAMS.
    MAX_CLIENT_STREAMS: u32 = 100;

    "header of the PROXY protocol, version 2; one of version 1 has 107 bytes at most", Bytes:
    /// The connection is refused.
    MAX_PROXY_HEADER_BYTES: usize = 4 * 1024;

    "ClientHello of a client, at a port of protocol `Tls`, or where a host has a [TLS policy](tls.md)", Bytes:
    /// The connection is refused.
    MAX_CLIENT_HELLO_BYTES: usize = 16 * 1024;

    "streams that a client may reset at once on one HTTP/2 connection before they are answered whole; ten times as many for a trusted proxy", Count:
    /// New streams are refused, and the connection ends after those that are under way (GOAWAY).
    MAX_CLIENT_RESETS: u32 = 200;

    "streams that a client may reset in a second in the long run; ten times as many for a trusted proxy", Count:
    /// As above.
    MAX_CLIENT_RESETS_PER_SECOND: u32 = 20;

    "bytes of an answer that wait for a slow client, on one stream of HTTP/2", Bytes:
    /// The gateway reads no more from the member.
    MAX_UNSENT_STREAM_BYTES: usize = 64 * 1024;

    "bytes of a stream that its receiver has not taken, HTTP/2 with clients and with members", Bytes:
    /// The sender waits (RFC 9113 section 5.2).
    STREAM_WINDOW_BYTES: u32 = 256 * 1024;

    "bytes of all streams of a client's HTTP/2 connection that their receivers have not taken", Bytes:
    /// The sender waits. Every stream can fill its own window, so a stream that stalls holds up no other.
    CLIENT_CONNECTION_WINDOW_BYTES: u32 = MAX_CLIENT_STREAMS * STREAM_WINDOW_BYTES;

    "a client's `X-Request-Id`", Bytes:
    /// Replaced by a new one.
    MAX_REQUEST_ID_BYTES: usize = 128;

    "token (JWT) of a request", Bytes:
    /// Answered 401, `TokenInvalid`. It is not read.
    MAX_TOKEN_BYTES: usize = 16 * 1024;

    "valid tokens that a worker remembers", Count:
    /// Those that were used least recently are forgotten; they are verified again when they come again.
    MAX_REMEMBERED_TOKENS: usize = 8192;

    "values that rewrite rules make for the headers of one message, together; a URL that they make", Bytes:
    /// The header is left out (a client's too), and counted (`steadygate_rewrites_left_out_total`). For a URL: answered 400, `MalformedRequest`.
    MAX_REWRITTEN_BYTES: usize = 32 * 1024;

    "client addresses whose requests are counted for limits", Count:
    /// Those that have been silent for longest are forgotten: they begin anew.
    MAX_LIMITED_CLIENTS: usize = 128 * 1024;

    "gateways of this kind that a request has come through, by its `Via`", Count:
    /// Answered 508, `LoopDetected`.
    MAX_OWN_HOPS: usize = 5;

    "header of a backend's answer, HTTP/1.1", Bytes:
    /// The client gets 502, `BackendMalformed`.
    MAX_ANSWER_HEADER_BYTES: usize = 256 * 1024;

    "header fields of a backend's answer, HTTP/1.1", Count:
    /// The client gets 502, `BackendMalformed`.
    MAX_ANSWER_HEADER_FIELDS: usize = 100;

    "interim answers (1xx) of a backend to one request, HTTP/1.1", Count:
    /// The client gets 502, `BackendMalformed`.
    MAX_INTERIM_ANSWERS: usize = 100;

    "interim answers (1xx) that wait for a slow client", Bytes:
    /// Those beyond are dropped: they are hints.
    MAX_UNSENT_INTERIM_BYTES: usize = 64 * 1024;

    "line before a chunk of a body, with its extensions", Bytes:
    /// The body breaks off.
    MAX_CHUNK_LINE_BYTES: usize = 16 * 1024;

    "trailers of a body", Bytes:
    /// The body breaks off.
    MAX_TRAILER_BYTES: usize = 16 * 1024;

    "trailer fields of a body", Count:
    /// The body breaks off.
    MAX_TRAILER_FIELDS: usize = 100;

    "read buffer of a connection to a member, or of the body of a request over HTTP/1.1", Bytes:
    /// The sender waits. The buffer starts at 2 KiB and doubles while reads fill it.
    MAX_READ_BYTES: usize = 64 * 1024;

    "read buffer that an unused connection to a member keeps", Bytes:
    /// The buffer is freed.
    MAX_KEPT_READ_BUFFER_BYTES: usize = 8 * 1024;

    "write buffer that an unused connection to a member keeps", Bytes:
    /// The buffer is freed.
    MAX_KEPT_WRITE_BUFFER_BYTES: usize = 4 * 1024;

    "unused connections that a worker keeps to one member", Count:
    /// The connection is closed.
    MAX_IDLE_CONNECTIONS_PER_MEMBER: usize = 256;

    "payload that is encrypted at once for a client", Bytes:
    /// Encrypted after this has been handed to the kernel. It is what a connection can hold for a slow client.
    MAX_TLS_PAYLOAD_BYTES: usize = 48 * 1024;

    "bytes of a session that the kernel holds and the peer's window has no room for", Bytes:
    /// The gateway does not write more, and reads no more from the other side.
    MAX_UNSENT_BYTES: u32 = 128 * 1024;

    "sessions on one HTTP/2 connection to a member", Count:
    /// The next session opens another connection. A member may announce less.
    MAX_SESSIONS_PER_CONNECTION: usize = 100;

    "bytes of all sessions of an HTTP/2 connection to a member that their clients have not taken", Bytes:
    /// The member waits. Every session can fill its own window, so a client that stalls holds up no other.
    MEMBER_CONNECTION_WINDOW_BYTES: u32 = MAX_SESSIONS_PER_CONNECTION as u32 * STREAM_WINDOW_BYTES;
}
