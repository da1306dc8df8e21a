//! Readers of single annotation values. The error of each is what was expected.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A boolean as Go's `strconv.ParseBool` reads it, which ingress-nginx and AGIC use.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("true or false".to_owned()),
    }
}

/// A whole number in a range, both ends included.
pub(super) fn number(text: &str, first: u32, last: u32) -> Result<u32, String> {
    let number = text.trim().parse::<u32>().ok().filter(|number| (first..=last).contains(number));
    number.ok_or_else(|| format!("a whole number from {first} to {last}"))
}

/// Seconds in a range, both ends included.
pub(super) fn seconds(text: &str, first: u32, last: u32) -> Result<Duration, String> {
    match number(text, first, last) {
        Ok(seconds) => Ok(Duration::from_secs(seconds.into())),
        Err(expected) => Err(format!("{expected}, in seconds")),
    }
}

/// Bytes in a range, both ends included, as nginx writes sizes: `65536`, `64k`, `1m`, `1g`.
pub(super) fn size(text: &str, first: u64, last: u64) -> Result<u64, String> {
    let text = text.trim();
    let units = [(['k', 'K'], 10), (['m', 'M'], 20), (['g', 'G'], 30)];
    let unit = units.iter().find_map(|(letters, power)| Some((text.strip_suffix(letters)?, *power)));
    let (digits, power) = unit.unwrap_or((text, 0));
    let size = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(1 << power));
    size.filter(|size| (first..=last).contains(size))
        .ok_or_else(|| format!("bytes from {first} to {last}, as a whole number or with k, m or g after it"))
}

/// A port, 1 to 65535.
pub(super) fn port(text: &str) -> Result<u16, String> {
    let port = number(text, 1, 65535)?;
    u16::try_from(port).map_err(|_| "a port".to_owned())
}

/// IP addresses and networks with commas between them. Whoever writes `0.0.0.0/0` means everybody, so it has IPv6 in it too.
pub(super) fn addresses(text: &str) -> Result<Vec<IpNet>, String> {
    let mut networks = Vec::new();
    for entry in list(text) {
        let network = entry.parse().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
        let network = network.map_err(|_| "IP addresses and CIDRs with commas between them".to_owned())?.trunc();
        networks.push(network);
        if network == IpNet::V4(Ipv4Net::default()) {
            networks.push(IpNet::V6(Ipv6Net::default()));
        }
    }
    Ok(networks)
}

/// A host name, which is sent as `Host` unchanged.
pub(super) fn host(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if text.is_empty() || text.len() > 253 || !text.chars().all(fits) {
        return Err("a host name".to_owned());
    }
    Ok(text.to_owned())
}

/// A path of a request.
pub(super) fn path(text: &str) -> Result<String, String> {
    let text = text.trim();
    if !text.starts_with('/') || !text.chars().all(|c| c.is_ascii_graphic() && c != '#') {
        return Err("a path that begins with '/'".to_owned());
    }
    Ok(text.to_owned())
}

/// A list with commas. Empty elements are skipped.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Statuses and ranges of statuses with commas: `200-399, 401`.
pub(super) fn statuses(text: &str) -> Result<Vec<(u16, u16)>, String> {
    let expected = || "statuses and ranges from 100 to 599, such as 200-399, 401".to_owned();
    let one = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..600).contains(status));
    let mut ranges = Vec::new();
    for part in list(text) {
        let (first, last) = part.split_once('-').unwrap_or((&part, &part));
        match (one(first), one(last)) {
            (Some(first), Some(last)) if first <= last => ranges.push((first, last)),
            _ => return Err(expected()),
        }
    }
    if ranges.is_empty() { Err(expected()) } else { Ok(ranges) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn booleans_are_those_of_go() {
        assert_eq!(boolean("T"), Ok(true));
        assert_eq!(boolean("FALSE"), Ok(false));
        assert!(boolean("yes").is_err());
        assert!(boolean("tRUE").is_err());
    }

    #[test]
    fn sizes_are_those_of_nginx() {
        let sizes =
            [("1", 1), ("65536", 1 << 16), ("64k", 1 << 16), (" 3M ", 3 << 20), ("1G", 1 << 30), ("1024g", 1 << 40)];
        for (text, bytes) in sizes {
            assert_eq!(size(text, 1, 1 << 40), Ok(bytes), "{text}");
        }
        for bad in ["", "k", "0", "0k", "-1", "1.5m", "64 k", "64kb", "64ki", "1t", "1025g", "1099511627777", "é"] {
            assert!(size(bad, 1, 1 << 40).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_size_overflows(count: u64, unit in "[kmg]?") {
            let power = match unit.as_str() { "k" => 10, "m" => 20, "g" => 30, _ => 0 };
            let bytes = u128::from(count) << power;
            prop_assert_eq!(size(&format!("{count}{unit}"), 0, u64::MAX).ok(), u64::try_from(bytes).ok());
        }
    }

    #[test]
    fn statuses_are_a_list_of_ranges() {
        assert_eq!(statuses("200-399, 401"), Ok(vec![(200, 399), (401, 401)]));
        for bad in ["", "399-200", "99", "abc", "200-"] {
            assert!(statuses(bad).is_err(), "{bad}");
        }
    }
}
