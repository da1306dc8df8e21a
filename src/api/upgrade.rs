//! The names of protocols to which requests may be upgraded, as users write them. What they mean belongs to `translate`.

use super::read;

/// The longest name, in characters.
pub(super) const MAX_PROTOCOL_LENGTH: usize = 64;

/// Names that are allowed: a token, perhaps with a version (RFC 9110 section 7.8). `*` is a token too.
pub(super) const PROTOCOL_PATTERN: &str = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+(/[A-Za-z0-9!#$%&'*+.^_`|~-]+)?$";

/// Whether a text is such a name.
fn is_protocol(text: &str) -> bool {
    let tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_token = |part: &str| !part.is_empty() && part.bytes().all(tchar);
    text.len() <= MAX_PROTOCOL_LENGTH && text.splitn(2, '/').all(is_token)
}

/// Reads an annotation: names with commas.
pub(super) fn protocols(text: &str) -> Result<Vec<String>, String> {
    let names = read::list(text);
    let fit = names.iter().all(|name| is_protocol(name));
    fit.then_some(names).ok_or_else(|| "names of protocols with commas, such as SPDY/3.1, or *".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tokens_perhaps_with_a_version() {
        assert_eq!(protocols(" SPDY/3.1 , tcp,, *"), Ok(["SPDY/3.1", "tcp", "*"].map(str::to_owned).to_vec()));
        assert_eq!(protocols(""), Ok(Vec::new()));
        for bad in ["SPDY/", "/3.1", "a b", "SPDY/3/1", "é", "a;b", &"a".repeat(MAX_PROTOCOL_LENGTH + 1)] {
            assert!(protocols(bad).is_err(), "{bad}");
        }
    }
}
