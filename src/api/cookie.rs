//! What may stand in a cookie (RFC 6265 section 4.1.1). Nothing else gets into a `Set-Cookie`.

/// A token, as a cookie's name has to be.
pub const NAME_PATTERN: &str = "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$";

/// Longest name that is taken.
pub const LONGEST_NAME: usize = 128;

/// Whether `text` can be a cookie's name.
pub fn is_name(text: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(token)
}

/// Whether `text` can be a cookie's `Path`: absolute, for another would not be taken.
pub fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.len() <= 1024 && text.chars().all(|c| c.is_ascii_graphic() && c != ';')
}

/// Whether `text` can be a cookie's `Domain`: a DNS name; a dot before it means nothing (RFC 6265 section 5.2.3).
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
        for good in ["ApplicationGatewayAffinity", "__Host-a", "!#$%&'*+-.^_`|~09AZaz", &"a".repeat(LONGEST_NAME)] {
            assert!(is_name(good), "{good}");
        }
        let bad = ["", "a=b", "(a)", "\"a\"", "a/b", "[a]", "a:b", "a@b", "a\\b", "a\t", &"a".repeat(LONGEST_NAME + 1)];
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
