//! The body of `POST /sessions/close`.

use std::time::Duration;

use serde::Deserialize;

use super::filter::Filter;
use crate::websocket::{CloseCause, CloseOrder, MAX_CLOSE_REASON_BYTES};

/// The longest time over which closes are spread, in seconds.
const MAX_OVER_SECONDS: u64 = 24 * 60 * 60;

/// Which sessions are closed, how, and over how long.
#[derive(Debug)]
pub(super) struct CloseCommand {
    pub(super) filter: Filter,
    pub(super) order: CloseOrder,
    pub(super) over: Duration,
}

/// The body as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseRequest {
    object: Option<String>,
    route: Option<String>,
    pool: Option<String>,
    pod: Option<String>,
    client: Option<String>,
    id: Option<u64>,
    #[serde(default)]
    all: bool,
    code: Option<u64>,
    reason: Option<String>,
    over_seconds: Option<u64>,
}

impl CloseCommand {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// The body is not valid: the message has the field, the value and the remedy.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let read: Result<CloseRequest, _> = serde_path_to_error::deserialize(&mut json);
        let body = read.map_err(|error| {
            let field = error.path().to_string();
            let field = if field == "." { "the body".to_owned() } else { field };
            format!("{field}: {}: see docs/sessions.md for what can be asked", error.inner())
        })?;
        json.end().map_err(|error| format!("the body: {error}: send one JSON object"))?;

        let mut filter = Filter::default();
        let id = body.id.map(|id| id.to_string());
        let fields = [
            ("object", body.object),
            ("route", body.route),
            ("pool", body.pool),
            ("pod", body.pod),
            ("client", body.client),
            ("id", id),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                filter.set(name, &value)?;
            }
        }
        if filter.is_empty() != body.all {
            let fields = Filter::FIELDS;
            return Err(if body.all {
                format!("all is true, and a filter is given ({filter}): leave one of them out")
            } else {
                format!("nothing says which sessions: give at least one of {fields}, or \"all\": true")
            });
        }
        let mut order = CloseOrder::from(CloseCause::Command);
        if let Some(code) = body.code {
            order.code = sendable(code)?;
        }
        if let Some(reason) = body.reason {
            if reason.len() > MAX_CLOSE_REASON_BYTES {
                let length = reason.len();
                return Err(format!(
                    "reason {reason:?} has {length} bytes: a Close frame takes {MAX_CLOSE_REASON_BYTES}"
                ));
            }
            order.reason = reason.into();
        }
        let over = body.over_seconds.unwrap_or_default();
        if over > MAX_OVER_SECONDS {
            return Err(format!("over_seconds {over} is longer than a day: give {MAX_OVER_SECONDS} at most"));
        }
        Ok(Self { filter, order, over: Duration::from_secs(over) })
    }
}

/// Checks that a status may be sent in a Close frame (RFC 6455 section 7.4).
fn sendable(code: u64) -> Result<u16, String> {
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => Ok(code as u16),
        _ => Err(format!("code {code} may not be sent in a Close frame: take 1000–1003, 1007–1014 or 3000–4999")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_the_commands_own() {
        let command = CloseCommand::read(br#"{"all": true}"#).expect("valid");
        assert_eq!((command.order, command.over), (CloseCause::Command.into(), Duration::ZERO));
        assert!(command.filter.is_empty());
        let text = r#"{"object": "default/site", "id": 7, "code": 4000, "reason": "moved", "over_seconds": 60}"#;
        let command = CloseCommand::read(text.as_bytes()).expect("valid");
        assert_eq!((command.order.code, &*command.order.reason, command.over.as_secs()), (4000, "moved", 60));
        assert_eq!(command.filter.to_string(), "object=default/site id=7");
        let longest = "é".repeat(61);
        assert!(CloseCommand::read(format!(r#"{{"id": 1, "reason": "{longest}"}}"#).as_bytes()).is_ok());
    }

    #[test]
    fn what_can_not_be_done_is_refused_by_its_field() {
        let long = format!(r#"{{"id": 1, "reason": "{}"}}"#, "é".repeat(62));
        for (body, word) in [
            ("", "the body"),
            ("{}", "which sessions"),
            (r#"{"all": false}"#, "which sessions"),
            (r#"{"code": 1000}"#, "which sessions"),
            (r#"{"all": true, "object": "default/site"}"#, "leave one of them out"),
            (r#"{"rout": "default/site"}"#, "unknown field `rout`"),
            (r#"{"id": "7"}"#, "id: "),
            (r#"{"id": 1, "id": 2}"#, "duplicate field `id`"),
            (r#"{"route": ""}"#, "route is empty"),
            (r#"{"client": "web"}"#, "client \"web\""),
            (r#"{"id": 1, "code": 999}"#, "code 999"),
            (r#"{"id": 1, "code": 1004}"#, "code 1004"),
            (r#"{"id": 1, "code": 1005}"#, "code 1005"),
            (r#"{"id": 1, "code": 1006}"#, "code 1006"),
            (r#"{"id": 1, "code": 1015}"#, "code 1015"),
            (r#"{"id": 1, "code": 2999}"#, "code 2999"),
            (r#"{"id": 1, "code": 5000}"#, "code 5000"),
            (r#"{"id": 1, "code": 66536}"#, "code 66536"),
            (r#"{"id": 1, "code": -1}"#, "code: "),
            (r#"{"id": 1, "over_seconds": 86401}"#, "over_seconds 86401"),
            (r#"{"id": 1, "over_seconds": 1.5}"#, "over_seconds: "),
            (r#"{"id": 1} {"all": true}"#, "one JSON object"),
            ("[]", "the body"),
            (&long, "124 bytes"),
        ] {
            let why = CloseCommand::read(body.as_bytes()).expect_err(body);
            assert!(why.contains(word), "{body}: {why}");
        }
    }
}
