//! The syntax of cookies (RFC 6265 section 4.1.1). No text that a user writes gets into `Set-Cookie` without passing
//! these checks.

/// The pattern of a cookie's name, which is a token (RFC 9110 section 5.6.2).
pub const NAME_PATTERN: &str = "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$";

/// The longest name that is accepted.
pub const MAX_NAME_BYTES: usize = 128;

/// The longest path that is accepted.
const MAX_PATH_BYTES: usize = 1024;

/// Whether `text` can be a cookie's name.
pub fn is_name(text: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.len() <= MAX_NAME_BYTES && text.chars().all(token)
}

/// Whether `text` can be a cookie's `Path`. It must be absolute, since browsers ignore others.
pub fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.len() <= MAX_PATH_BYTES && text.chars().all(|c| c.is_ascii_graphic() && c != ';')
}

/// Whether `text` can be a cookie's `Domain`: a DNS name. A leading dot is ignored (RFC 6265 section 5.2.3).
pub fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&label.len()) && label.chars().all(fits) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.strip_prefix('.').unwrap_or(text).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INJECTIONS: [&str; 8] =
        ["a; Domain=evil.example", "a\r\nSet-Cookie: b=1", "a\nb", "a\0", "a b", "a,b=c", "é", "\u{7f}"];

    #[test]
    fn a_name_is_a_token() {
        for good in ["ApplicationGatewayAffinity", "__Host-a", "!#$%&'*+-.^_`|~09AZaz", &"a".repeat(MAX_NAME_BYTES)] {
            assert!(is_name(good), "{good}");
        }
        let bad =
            ["", "a=b", "(a)", "\"a\"", "a/b", "[a]", "a:b", "a@b", "a\\b", "a\t", &"a".repeat(MAX_NAME_BYTES + 1)];
        for bad in bad.into_iter().chain(INJECTIONS) {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_path_is_absolute_and_ends_before_the_next_attribute() {
        for good in ["/", "/a/b", "/a%20b", "/~x=1,2"] {
            assert!(is_path(good), "{good}");
        }
        assert!(!is_path("") && !is_path("a") && !is_path(&format!("/{}", "a".repeat(1024))));
        for bad in INJECTIONS.into_iter().filter(|bad| *bad != "a,b=c") {
            assert!(!is_path(&format!("/{bad}")), "{bad:?}");
        }
    }

    #[test]
    fn a_domain_is_a_dns_name() {
        for good in ["example.com", ".example.com", "a", "xn--bcher-kva.example"] {
            assert!(is_domain(good), "{good}");
        }
        let bad =
            ["", ".", "..a", "a..b", "a.", "-a.b", "a-.b", "a:80", "*.a", "a_b", &"a".repeat(64), &"a.".repeat(127)];
        for bad in bad.into_iter().chain(INJECTIONS) {
            assert!(!is_domain(bad), "{bad:?}");
        }
    }
}
