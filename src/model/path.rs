//! Conditions on request paths, and the form in which paths are compared.

mod regex;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::PatternError;

pub use regex::PathRegex;

/// A condition on the path of a request.
///
/// Its `Ord` is for the keys of maps. It is not the precedence, which is [`super::RouteMatch::precedence`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathMatch {
    /// This path, compared with case (Ingress `pathType: Exact`).
    Exact(Arc<str>),
    /// Paths that begin with these elements, compared with case (Ingress `pathType: Prefix`). The text has no trailing slash;
    /// the empty text stands for `/`, which every path begins with.
    Prefix(Arc<str>),
    /// This path, compared without case (a `paths` entry of an ApplicationGateway without `*`). The text is in lower case.
    PatternExact(Arc<str>),
    /// Paths that begin with this text, compared without case (`/images/*`). The text is in lower case.
    PatternPrefix(Arc<str>),
    /// Paths at whose start a regular expression matches (ingress-nginx `use-regex`).
    Regex(Arc<PathRegex>),
    /// Every path: the default of a host.
    Any,
}

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathMatchError {
    /// The text does not begin with `/`.
    #[error("a path begins with '/'")]
    NotAbsolute,
    /// The text has something that no normalised path has, so that it would never match.
    #[error("a path has no '//', '/./', '/../', '%2f' or '%5c' in it")]
    NeverMatches,
    /// A `*` is not the last character.
    #[error("at most one '*' can stand in a path pattern, as its last character")]
    Star,
    /// The text has a character that no request path has.
    #[error("{0:?} can't stand in a path")]
    Character(char),
}

impl PathMatch {
    /// Parses an Ingress path of type `Exact`.
    pub fn exact(text: &str) -> Result<Self, PathMatchError> {
        check(text)?;
        Ok(Self::Exact(normalise_path(text).into()))
    }

    /// Parses an Ingress path of type `Prefix`.
    pub fn prefix(text: &str) -> Result<Self, PathMatchError> {
        check(text)?;
        Ok(Self::Prefix(normalise_path(text).trim_end_matches('/').into()))
    }

    /// Parses a `paths` entry of an ApplicationGateway.
    pub fn pattern(text: &str) -> Result<Self, PathMatchError> {
        let (literal, star) = match text.strip_suffix('*') {
            Some(literal) => (literal, true),
            None => (text, false),
        };
        if literal.contains('*') {
            return Err(PathMatchError::Star);
        }
        check(literal)?;
        let literal = normalise_path(literal).to_ascii_lowercase().into();
        Ok(if star { Self::PatternPrefix(literal) } else { Self::PatternExact(literal) })
    }

    /// Parses a regular expression.
    ///
    /// # Errors
    /// The text is none that can be used.
    pub fn regex(text: &str) -> Result<Self, PatternError> {
        Ok(Self::Regex(Arc::new(PathRegex::compile(text)?)))
    }

    /// Whether `path`, normalised by [`normalise_path`], meets the condition.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *path,
            Self::Prefix(prefix) => {
                path.strip_prefix(&**prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::PatternExact(text) => path.eq_ignore_ascii_case(text),
            Self::PatternPrefix(text) => {
                path.as_bytes().get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()))
            }
            Self::Regex(regex) => regex.matches(path),
            Self::Any => true,
        }
    }

    /// Whether every path that begins with `/` meets the condition.
    pub fn is_every_path(&self) -> bool {
        match self {
            Self::Prefix(prefix) => prefix.is_empty(),
            Self::Any => true,
            Self::Exact(_) | Self::PatternExact(_) | Self::PatternPrefix(_) | Self::Regex(_) => false,
        }
    }

    /// Whether the condition is a pattern. The first pattern that is listed goes before the others.
    pub fn is_pattern(&self) -> bool {
        match self {
            Self::PatternExact(_) | Self::PatternPrefix(_) => true,
            Self::Exact(_) | Self::Prefix(_) | Self::Regex(_) | Self::Any => false,
        }
    }

    /// A path that meets the condition.
    pub fn example(&self) -> &str {
        match self {
            Self::Any => "/",
            Self::Prefix(prefix) if prefix.is_empty() => "/",
            Self::Exact(text) | Self::Prefix(text) | Self::PatternExact(text) | Self::PatternPrefix(text) => text,
            Self::Regex(regex) => regex.example(),
        }
    }
}

fn check(text: &str) -> Result<(), PathMatchError> {
    if !text.starts_with('/') {
        return Err(PathMatchError::NotAbsolute);
    }
    if let Some(c) = text.chars().find(|c| c.is_ascii() && (!c.is_ascii_graphic() || matches!(c, '?' | '#'))) {
        return Err(PathMatchError::Character(c));
    }
    let lower = text.to_ascii_lowercase();
    let dots = lower.split('/').any(|element| matches!(element, "." | ".."));
    if dots || lower.contains("//") || lower.contains("%2f") || lower.contains("%5c") {
        return Err(PathMatchError::NeverMatches);
    }
    Ok(())
}

/// Normalises a path, so that paths that mean the same resource are compared as equal (RFC 3986 section 6.2.2): percent-encoded
/// unreserved characters are decoded, what should have been percent-encoded is, escapes are in upper case, `.` and `..` elements
/// are removed, and runs of `/` become one. The path is borrowed if it is already in that form, as nearly all are.
///
/// `%2F` and `%5C` stay encoded: they are data, not separators.
pub fn normalise_path(path: &str) -> Cow<'_, str> {
    let plain = path.bytes().all(|byte| is_path_character(byte) && byte != b'.');
    if plain && !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let decoded = normalise_escapes(path, Escapes::Shortest);
    let mut elements: Vec<&str> = Vec::new();
    let mut trailing_slash = false;
    for element in decoded.split('/').skip(1) {
        trailing_slash = matches!(element, "" | "." | "..");
        match element {
            "" | "." => {}
            ".." => {
                elements.pop();
            }
            other => elements.push(other),
        }
    }
    let mut out = String::with_capacity(decoded.len());
    for element in &elements {
        out.push('/');
        out.push_str(element);
    }
    if trailing_slash || elements.is_empty() {
        out.push('/');
    }
    if out == path { Cow::Borrowed(path) } else { Cow::Owned(out) }
}

/// Percent-encodes what should have been percent-encoded in a request target, and leaves the rest as it is. It is borrowed if there
/// is nothing of the kind.
pub fn escape_target(target: &str) -> Cow<'_, str> {
    if target.bytes().all(|byte| is_path_character(byte) || byte == b'?') {
        return Cow::Borrowed(target);
    }
    Cow::Owned(normalise_escapes(target, Escapes::AsTheyAre))
}

/// Whether a path has something that some backends take for a separator: an encoded slash, a backslash or a `;`.
pub fn has_encoded_slashes(path: &str) -> bool {
    let path = path.as_bytes();
    let is_slash = |escape: &[u8]| escape.eq_ignore_ascii_case(b"%2f") || escape.eq_ignore_ascii_case(b"%5c");
    path.iter().any(|byte| matches!(byte, b';' | b'\\')) || path.windows(3).any(is_slash)
}

/// Whether a path has elements that are `.` or `..`, however they are encoded.
pub fn has_dots(path: &str) -> bool {
    path.split('/').any(is_dots)
}

/// Whether a path element is `.` or `..`, however it is encoded.
fn is_dots(element: &str) -> bool {
    let (mut rest, mut dots) = (element, 0);
    while let Some(after) = [".", "%2e", "%2E"].iter().find_map(|dot| rest.strip_prefix(dot)) {
        (rest, dots) = (after, dots + 1);
    }
    rest.is_empty() && (1..=2).contains(&dots)
}

/// The normal form of a path in which encoded slashes and backslashes are slashes, and the parameters behind a `;` are left out;
/// and whether `.` or `..` elements have come to light by that. `path` is in its normal form.
pub fn decode_slashes(path: &str) -> (String, bool) {
    let slashes = path.replace("%2F", "/").replace("%5C", "/");
    let elements = slashes.split('/').map(|element| element.split(';').next().unwrap_or_default());
    let decoded = elements.collect::<Vec<_>>().join("/");
    let dots = decoded.split('/').any(|element| matches!(element, "." | ".."));
    (normalise_path(&decoded).into_owned(), dots)
}

/// Whether a byte stands in paths as it is (RFC 3986 section 3.3). `%` begins an escape.
const fn is_path_character(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\''
        | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@')
}

/// What becomes of the escapes in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    AsTheyAre,
    /// Decoded where they are not needed, and in upper case.
    Shortest,
}

fn normalise_escapes(path: &str, escapes: Escapes) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = after.get(..2).filter(|hex| byte == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let value = escape.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        rest = if value.is_some() { &after[2..] } else { after };
        match (value, escapes) {
            (Some(byte), Escapes::Shortest) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte));
            }
            (Some(byte), Escapes::Shortest) => push_escape(&mut out, byte),
            (Some(_), Escapes::AsTheyAre) => {
                out.push('%');
                out.extend(escape.into_iter().flatten().copied().map(char::from));
            }
            (None, _) if is_path_character(byte) || byte == b'?' => out.push(char::from(byte)),
            (None, _) => push_escape(&mut out, byte),
        }
    }
    out
}

fn push_escape(out: &mut String, byte: u8) {
    for digit in [b'%', b"0123456789ABCDEF"[usize::from(byte >> 4)], b"0123456789ABCDEF"[usize::from(byte & 15)]] {
        out.push(char::from(digit));
    }
}

impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "= {path}"),
            Self::Prefix(path) if path.is_empty() => f.write_str("/"),
            Self::Prefix(path) => f.write_str(path),
            Self::PatternExact(path) => write!(f, "~ {path}"),
            Self::PatternPrefix(path) => write!(f, "~ {path}*"),
            Self::Regex(regex) => write!(f, "~* {}", regex.as_str()),
            Self::Any => f.write_str("*"),
        }
    }
}

impl Serialize for PathMatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PathMatch {
    /// Reads what was serialised: the paths in it are normalised already.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Some(exact) = text.strip_prefix("= ") {
            return Ok(Self::Exact(exact.into()));
        }
        if let Some(regex) = text.strip_prefix("~* ") {
            return Self::regex(regex).map_err(D::Error::custom);
        }
        if let Some(pattern) = text.strip_prefix("~ ") {
            let prefix = pattern.strip_suffix('*').map(|prefix| Self::PatternPrefix(prefix.into()));
            return Ok(prefix.unwrap_or_else(|| Self::PatternExact(pattern.into())));
        }
        match &*text {
            "*" => Ok(Self::Any),
            "/" => Ok(Self::Prefix("".into())),
            prefix if prefix.starts_with('/') => Ok(Self::Prefix(prefix.into())),
            other => Err(D::Error::invalid_value(Unexpected::Str(other), &"a condition on a path")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_without_dots_doubled_slashes_and_needless_escapes() {
        for (given, expected) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/../../etc", "/etc"),
            ("/%2e%2E/etc", "/etc"),
            ("//a///b//", "/a/b/"),
            ("/%61dmin", "/admin"),
            ("/a%2Fb", "/a%2Fb"),
            // What should have been escaped is compared as its escape.
            ("/a%", "/a%25"),
            ("/a%zz", "/a%25zz"),
            ("/a%+f", "/a%25+f"),
            ("/a%25zz", "/a%25zz"),
            ("/caf\u{e9}/\u{9b}", "/caf%C3%A9/%C2%9B"),
            ("/{\"a\":[1]}|\\^`<>", "/%7B%22a%22:%5B1%5D%7D%7C%5C%5E%60%3C%3E"),
            ("/a;b=c,d@e:f!$&'()*+~", "/a;b=c,d@e:f!$&'()*+~"),
            ("/caf%c3%a9%2f", "/caf%C3%A9%2F"),
            ("/v1.2/x", "/v1.2/x"),
        ] {
            assert_eq!(normalise_path(given), expected, "{given}");
        }
    }

    #[test]
    fn a_character_beyond_ascii_is_the_escapes_that_requests_send() {
        for text in ["/café", "/caf%c3%a9", "/caf%C3%A9"] {
            for path in [PathMatch::exact(text), PathMatch::prefix(text), PathMatch::pattern(text)] {
                let path = path.expect("valid");
                for request in ["/caf%C3%A9", "/caf%c3%a9", "/café"] {
                    assert!(path.matches(&normalise_path(request)), "{path} {request}");
                }
            }
        }
    }

    #[test]
    fn a_target_is_shown_with_the_escapes_that_it_should_have_had() {
        for (given, expected) in [
            ("/a/../b//%7e%c3?x=%7e", "/a/../b//%7e%c3?x=%7e"),
            ("/caf\u{e9}?q=\"\u{9b}\"", "/caf%C3%A9?q=%22%C2%9B%22"),
            ("/100%", "/100%25"),
        ] {
            assert_eq!(escape_target(given), expected);
        }
    }

    #[test]
    fn encoded_slashes_are_decoded_as_a_backend_may_do_it() {
        for (given, expected) in [
            ("/x/..%2fadmin", ("/admin", true)),
            ("/x/..;/admin", ("/admin", true)),
            ("/x%5c..\\admin;v=1/;", ("/admin/", true)),
            ("/x/%2e%2e%2Fadmin", ("/admin", true)),
            ("/admin%2Fx", ("/admin/x", false)),
            ("/queues/%2F/q;a=b", ("/queues/q", false)),
        ] {
            assert!(has_encoded_slashes(given), "{given}");
            assert_eq!(decode_slashes(&normalise_path(given)), (expected.0.to_owned(), expected.1), "{given}");
        }
        assert!(!has_encoded_slashes("/a%2/b%5/%252F"));
    }

    #[test]
    fn a_condition_is_read_as_it_was_serialised() {
        for path in [
            PathMatch::exact("/"),
            PathMatch::exact("/a*"),
            PathMatch::prefix("/"),
            PathMatch::prefix("/a*"),
            PathMatch::pattern("/A"),
            PathMatch::pattern("/A/*"),
            Ok(PathMatch::regex("/A(/|$)(.*)").expect("a pattern")),
            Ok(PathMatch::Any),
        ] {
            let path = path.expect("valid");
            let json = serde_json::to_string(&path).expect("serialised");
            assert_eq!(serde_json::from_str::<PathMatch>(&json).ok(), Some(path), "{json}");
        }
        assert!(serde_json::from_str::<PathMatch>("\"a\"").is_err());
    }

    #[test]
    fn a_pattern_ignores_case_and_has_its_star_last() {
        let images = PathMatch::pattern("/Images/*").expect("valid");
        assert!(images.matches("/images/a.png"));
        assert!(!images.matches("/images"));
        assert!(PathMatch::pattern("/a/*/b").is_err());
        assert!(PathMatch::pattern("images/*").is_err());
    }
}
