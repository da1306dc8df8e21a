//! Limits of time of a rule, in the form of GEP-2257: `1h30m`, `10s`, `500ms`.

use std::time::Duration;

use crate::api::gateway_api::HttpTimeouts;

/// The limit where nobody has written one, as for Ingresses and ApplicationGateways.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The limit where `0s` says that there is none.
const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The limit of a rule: the lesser one of those that it has. The error is the field that can't be read.
pub(super) fn read(timeouts: Option<&HttpTimeouts>) -> Result<Duration, &'static str> {
    let Some(HttpTimeouts { request, backend_request }) = timeouts else { return Ok(DEFAULT_TIMEOUT) };
    let read = |field, text: &Option<String>| text.as_deref().map(|text| parse(text).ok_or(field)).transpose();
    let limits = [read("request", request)?, read("backendRequest", backend_request)?];
    let limits = limits.into_iter().flatten().map(|limit| if limit.is_zero() { UNLIMITED } else { limit });
    Ok(limits.min().unwrap_or(DEFAULT_TIMEOUT))
}

/// Parses a duration: up to four numbers of up to five digits, each with its unit.
fn parse(text: &str) -> Option<Duration> {
    let (mut rest, mut total, mut parts) = (text, Duration::ZERO, 0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok().filter(|_| (1..=5).contains(&digits))?;
        rest = &rest[digits..];
        let (unit, milliseconds) = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
            .into_iter()
            .find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        total += Duration::from_millis(number * milliseconds);
        parts += 1;
    }
    Some(total).filter(|_| (1..=4).contains(&parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_gep_2257_has_it() {
        for (text, expected) in [
            ("0s", Some(0)),
            ("500ms", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("1m30s5ms", Some(90_005)),
            ("", None),
            ("1", None),
            ("-1s", None),
            ("1.5s", None),
            ("123456s", None),
            ("1d", None),
            ("1s1s1s1s1s", None),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn the_lesser_limit_counts_and_zero_is_none() {
        let limit = |request: Option<&str>, backend: Option<&str>| {
            let [request, backend_request] = [request, backend].map(|text| text.map(str::to_owned));
            read(Some(&HttpTimeouts { request, backend_request }))
        };
        assert_eq!(limit(Some("10s"), Some("2s")), Ok(Duration::from_secs(2)));
        assert_eq!(limit(Some("0s"), Some("2s")), Ok(Duration::from_secs(2)));
        assert_eq!(limit(Some("0s"), None), Ok(UNLIMITED));
        assert_eq!(limit(None, None), Ok(DEFAULT_TIMEOUT));
        assert_eq!(limit(None, Some("soon")), Err("backendRequest"));
    }
}
