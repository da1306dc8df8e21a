//! What WebSocket sessions are asked for.

use super::super::{Entry, read};
use crate::api::application_gateway::IdleCounts;

pub(super) const IDLE_TIMEOUT: Entry = Entry {
    key: "websocket-idle-timeout",
    value: "seconds, 0 to 2592000",
    meaning: "longest silence of a WebSocket session, both directions taken together, after which it is closed (1001); \
              0: no limit; the request timeout unless given",
    read: Some(|settings, text| {
        settings.session.idle_timeout = Some(read::seconds(text, 0, 2_592_000)?);
        Ok(())
    }),
};

pub(super) const IDLE_COUNTS: Entry = Entry {
    key: "websocket-idle-counts",
    value: "any or messages",
    meaning: "what ends that silence: any byte but answers to the gateway's own pings, or messages alone, so that a \
              session with nothing but pings is idle; any unless given",
    read: Some(|settings, text| {
        settings.session.idle_counts = Some(match text {
            "any" => IdleCounts::Any,
            "messages" => IdleCounts::Messages,
            _ => return Err("any or messages".to_owned().into()),
        });
        Ok(())
    }),
};

pub(super) const PING_INTERVAL: Entry = Entry {
    key: "websocket-ping-interval",
    value: "seconds, 0 to 86400",
    meaning: "silence of a client or a backend after which the gateway sends it a ping; 0: no pings; 0 unless given",
    read: Some(|settings, text| {
        settings.session.ping_interval = Some(read::seconds(text, 0, 86_400)?);
        Ok(())
    }),
};

pub(super) const PING_TIMEOUT: Entry = Entry {
    key: "websocket-ping-timeout",
    value: "seconds, 1 to 3600",
    meaning: "time that whoever was sent a ping has for a byte of whatever kind, before it is taken for gone and the \
              session ends; 10 unless given; no effect without websocket-ping-interval",
    read: Some(|settings, text| {
        settings.session.ping_timeout = Some(read::seconds(text, 1, 3600)?);
        Ok(())
    }),
};

pub(super) const MAX_AGE: Entry = Entry {
    key: "websocket-max-age",
    value: "seconds, 0 to 2592000",
    meaning: "age at which a session is closed (1012), give or take a tenth, so that its client comes back and is \
              given a member anew; 0: no limit; 0 unless given",
    read: Some(|settings, text| {
        settings.session.max_age = Some(read::seconds(text, 0, 2_592_000)?);
        Ok(())
    }),
};

pub(super) const DRAIN_TIMEOUT: Entry = Entry {
    key: "websocket-drain-timeout",
    value: "seconds, 1 to 3600",
    meaning: "time over which the sessions of a pod that goes away, or of a rule that is removed, are closed (1001); \
              what appgw.ingress.kubernetes.io/connection-draining asks for, else half of the pod's grace, or half of \
              30 seconds for a rule, unless given",
    read: Some(|settings, text| {
        settings.session.drain = Some(read::seconds(text, 1, 3600)?);
        Ok(())
    }),
};

pub(super) const UNHEALTHY_GRACE: Entry = Entry {
    key: "websocket-unhealthy-grace",
    value: "seconds, 0 to 86400",
    meaning: "time after which the sessions on a member that fails its probe are closed (1012); 0: at once; they stay \
              unless given",
    read: Some(|settings, text| {
        settings.session.unhealthy_grace = Some(read::seconds(text, 0, 86_400)?);
        Ok(())
    }),
};

pub(super) const REBALANCE: Entry = Entry {
    key: "websocket-rebalance",
    value: "0 to 60000",
    meaning: "sessions a minute that the fullest member gives up while others have notably fewer, by each replica; \
              each is closed (1012), so that its client comes back and is given another; 0: none; 0 unless given",
    read: Some(|settings, text| {
        settings.session.rebalance = Some(read::number(text, 0, 60_000)?);
        Ok(())
    }),
};

pub(super) const MAX_SESSIONS: Entry = Entry {
    key: "websocket-max-sessions",
    value: "1 to 10000000",
    meaning: "sessions that may be open at once for each rule (host and path), by each replica; handshakes beyond are \
              answered 503 with Retry-After; no limit unless given",
    read: Some(|settings, text| {
        settings.session.max_sessions = Some(read::number(text, 1, 10_000_000)?);
        Ok(())
    }),
};

pub(super) const MAX_SESSIONS_PER_CLIENT: Entry = Entry {
    key: "websocket-max-sessions-per-client",
    value: "1 to 10000000",
    meaning: "sessions that one client address may have open at once for each rule (host and path), by each replica; \
              handshakes beyond are answered 429 with Retry-After; no limit unless given",
    read: Some(|settings, text| {
        settings.session.max_sessions_per_client = Some(read::number(text, 1, 10_000_000)?);
        Ok(())
    }),
};

pub(super) const HANDSHAKE_RATE: Entry = Entry {
    key: "websocket-handshake-rate",
    value: "1 to 1000000",
    meaning: "handshakes a second for each rule (host and path), by each replica; those beyond are answered 429 with \
              Retry-After; no limit unless given",
    read: Some(|settings, text| {
        settings.session.handshake_rate = Some(read::number(text, 1, 1_000_000)?);
        Ok(())
    }),
};

pub(super) const MAX_MESSAGE_SIZE: Entry = Entry {
    key: "websocket-max-message-size",
    value: "bytes, 1 to 1099511627776, or with k, m, g: 64k",
    meaning: "size of a client's message as it goes over the wire, all fragments together; a session with a larger one \
              is closed (1009); no limit unless given",
    read: Some(|settings, text| {
        settings.session.max_message_size = Some(read::size(text, 1, 1 << 40)?);
        Ok(())
    }),
};

pub(super) const MESSAGE_RATE: Entry = Entry {
    key: "websocket-message-rate",
    value: "1 to 1000000",
    meaning: "messages, pings and pongs a second that the client of a session may send; a session with more is closed \
              (1008); no limit unless given",
    read: Some(|settings, text| {
        settings.session.message_rate = Some(read::number(text, 1, 1_000_000)?);
        Ok(())
    }),
};

pub(super) const BACKEND_HTTP2: Entry = Entry {
    key: "websocket-backend-http2",
    value: "true or false",
    meaning: "whether sessions share connections of HTTP/2 to HTTPS backends that offer that (RFC 8441): fewer connections, \
              but some servers end all of a connection's sessions when one ends; false unless given",
    read: Some(|settings, text| {
        settings.session.backend_http2 = Some(read::boolean(text)?);
        Ok(())
    }),
};
