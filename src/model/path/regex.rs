//! Regular expressions on paths, as ingress-nginx has them.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::model::{Case, Pattern, PatternError};

/// A regular expression that matches at the start of a path, in either case. It looks at the normal form of paths, in which a space is
/// `%20`.
#[derive(Debug)]
pub struct PathRegex {
    pattern: Pattern,
    example: Box<str>,
}

impl PathRegex {
    /// Compiles a text.
    ///
    /// # Errors
    /// The text is no pattern, or is one that takes backtracking or too much memory.
    pub fn compile(text: &str) -> Result<Self, PatternError> {
        let pattern = Pattern::compile(text, Case::Insensitive)?;
        let example = regex_syntax::parse(text).map(|hir| example(&hir)).unwrap_or_default();
        let is_one = example.starts_with('/') && pattern.is_prefix_match(example.as_bytes());
        Ok(Self { pattern, example: if is_one { example.into() } else { "/".into() } })
    }

    /// The text that it was compiled from.
    pub fn as_str(&self) -> &str {
        self.pattern.as_str()
    }

    /// The pattern. It may match further on in a path as well.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Whether it matches at the start of a path.
    pub fn matches(&self, path: &str) -> bool {
        self.pattern.is_prefix_match(path.as_bytes())
    }

    /// A short path that it matches; `/` where none is found.
    pub fn example(&self) -> &str {
        &self.example
    }
}

/// A short text that an expression matches, if no assertion within it objects.
fn example(hir: &Hir) -> String {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => String::new(),
        HirKind::Literal(literal) => String::from_utf8_lossy(&literal.0).into_owned(),
        HirKind::Class(Class::Unicode(class)) => {
            let starts = class.ranges().iter().flat_map(|range| [range.start(), range.end()]);
            let mut shown = starts.clone().filter(|c| c.is_ascii_alphanumeric());
            shown.next().or(starts.clone().find(char::is_ascii_graphic)).map(String::from).unwrap_or_default()
        }
        HirKind::Class(Class::Bytes(_)) => String::new(),
        HirKind::Repetition(repetition) => example(&repetition.sub).repeat(repetition.min.min(64) as usize),
        HirKind::Capture(capture) => example(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(example).collect(),
        HirKind::Alternation(parts) => parts.first().map(example).unwrap_or_default(),
    }
}

impl PartialEq for PathRegex {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for PathRegex {}

impl PartialOrd for PathRegex {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PathRegex {
    fn cmp(&self, other: &Self) -> Ordering {
        self.pattern.cmp(&other.pattern)
    }
}

impl Hash for PathRegex {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_matches_at_the_start_in_either_case() {
        for (text, path, expected) in [
            ("/foo", "/FOObar", true),
            ("/foo", "/x/foo", false),
            ("/api(/|$)(.*)", "/api", true),
            ("/api(/|$)(.*)", "/apix", false),
            ("/id/[0-9]{3}$", "/id/1234", false),
            // Both alternatives are for the start.
            ("/a|/b", "/x/b", false),
            ("/a|/b", "/b", true),
        ] {
            assert_eq!(PathRegex::compile(text).expect("a pattern").matches(path), expected, "{text} {path}");
        }
        assert!(PathRegex::compile("/a(?!b)").is_err());
    }

    #[test]
    fn an_example_is_one_that_it_matches() {
        for (text, example) in [
            ("/api(/|$)(.*)", "/api/"),
            ("/id/[0-9]{3}$", "/id/000"),
            ("/(a|b)+/x?", "/a/"),
            ("/foo/bar/[a-z]+", "/foo/bar/a"),
            (r"/a\b.", "/"),
        ] {
            assert_eq!(PathRegex::compile(text).expect("a pattern").example(), example, "{text}");
        }
    }
}
