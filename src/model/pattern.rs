//! Regular expressions that users write.
//!
//! They are matched in linear time, whatever the text (RE2's guarantee), and their size is limited. That leaves out what would need
//! backtracking: look-around and back-references, which are reported by name.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use regex::bytes::{Captures, Regex, RegexBuilder};
use regex_syntax::ast::{self, ErrorKind};
use serde::{Serialize, Serializer};

/// The longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 4096;

/// The largest program that a pattern may be compiled to, in bytes. It bounds what `(a{100}){100}` takes.
const MAX_PROGRAM_BYTES: usize = 1024 * 1024;

/// The largest cache that a thread keeps for a pattern while it matches, in bytes.
const MAX_CACHE_BYTES: usize = 256 * 1024;

/// The deepest nesting of groups.
const MAX_NESTING: u32 = 50;

/// A regular expression, compiled. Cheap to clone.
#[derive(Clone)]
pub struct Pattern {
    case: Case,
    regex: Arc<Regex>,
}

/// Whether upper and lower case are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// `a` is not `A`.
    Sensitive,
    /// `a` is `A`.
    Insensitive,
}

/// Why a text is no pattern that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The pattern asks what stands before or behind a match: `(?=`, `(?<!`.
    #[error("{0:?} at character {1} is look-around, which can't be matched in linear time")]
    LookAround(String, usize),
    /// The pattern refers to what a group has matched: `\1`.
    #[error("{0:?} at character {1} is a back-reference, which can't be matched in linear time")]
    BackReference(String, usize),
    /// The pattern is not well formed, or has something of another dialect.
    #[error("{1:?} at character {2}: {0}")]
    Syntax(String, String, usize),
    /// The pattern, or what it is compiled to, is too large.
    #[error("it takes more memory than a pattern may ({})", MAX_PROGRAM_BYTES)]
    TooLarge,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// The text is no pattern, or is one that takes backtracking or too much memory.
    pub fn compile(text: &str, case: Case) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLarge);
        }
        let mut parser = ast::parse::ParserBuilder::new().nest_limit(MAX_NESTING).build();
        parser.parse(text).map_err(|error| PatternError::of(&error))?;
        let built = RegexBuilder::new(text)
            .case_insensitive(case == Case::Insensitive)
            .nest_limit(MAX_NESTING)
            .size_limit(MAX_PROGRAM_BYTES)
            .dfa_size_limit(MAX_CACHE_BYTES)
            .build();
        match built {
            Ok(regex) => Ok(Self { case, regex: Arc::new(regex) }),
            Err(regex::Error::CompiledTooBig(_)) => Err(PatternError::TooLarge),
            // What is well formed and can't be compiled has a class that is not known here, such as `\p{Greek}`.
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                Err(PatternError::Syntax(last.trim_start_matches("error: ").to_owned(), String::new(), 1))
            }
        }
    }

    /// The text that it was compiled from.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether upper and lower case are told apart.
    pub fn case(&self) -> Case {
        self.case
    }

    /// Whether it has another owner.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.regex) > 1
    }

    /// The number of its groups.
    pub fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }

    /// Whether it matches somewhere in a text.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// Whether it matches at the start of a text. The text of the pattern is not put into another one for that.
    pub fn is_prefix_match(&self, text: &[u8]) -> bool {
        // The leftmost match is found: if one begins at the start, it is that.
        self.regex.find(text).is_some_and(|found| found.start() == 0)
    }

    /// What it and its groups match in a text.
    pub fn captures<'t>(&self, text: &'t [u8]) -> Option<Captures<'t>> {
        self.regex.captures(text)
    }
}

impl PatternError {
    fn of(error: &ast::Error) -> Self {
        let span = error.span();
        let construct = error.pattern().get(span.start.offset..span.end.offset).unwrap_or_default().to_owned();
        let at = error.pattern().get(..span.start.offset).map_or(1, |before| before.chars().count() + 1);
        match error.kind() {
            ErrorKind::UnsupportedLookAround => Self::LookAround(construct, at),
            ErrorKind::UnsupportedBackreference => Self::BackReference(construct, at),
            ErrorKind::NestLimitExceeded(_) => Self::TooLarge,
            kind => Self::Syntax(kind.to_string(), construct, at),
        }
    }

    /// What can be written instead.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::LookAround(..) => {
                "write two conditions: one for what has to be there, and one with negate for what must not"
            }
            Self::BackReference(..) => "write out what the group may match",
            Self::Syntax(..) => "correct the pattern: its dialect is RE2's",
            Self::TooLarge => "shorten the pattern, or lower its repetition counts",
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pattern {}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.as_str(), self.case).cmp(&(other.as_str(), other.case))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.case {
            Case::Sensitive => write!(f, "{:?}", self.as_str()),
            Case::Insensitive => write!(f, "{:?} in any case", self.as_str()),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> PatternError {
        Pattern::compile(text, Case::Sensitive).expect_err(text)
    }

    #[test]
    fn what_takes_backtracking_is_named() {
        assert_eq!(
            error("^/a(?=b)").to_string(),
            "\"(?=\" at character 4 is look-around, which can't be matched in linear time"
        );
        assert_eq!(
            error("é(?<!x)").to_string(),
            "\"(?<!\" at character 2 is look-around, which can't be matched in linear time"
        );
        assert_eq!(
            error(r"(a)\1").to_string(),
            "\"\\\\1\" at character 4 is a back-reference, which can't be matched in linear time"
        );
    }

    #[test]
    fn what_is_malformed_or_of_another_dialect_is_an_error() {
        for text in ["(", "a)", "[a", "*", "a{2,1}", r"\K", "(?>a)", r"\p{Nope}"] {
            assert!(matches!(error(text), PatternError::Syntax(..)), "{text}: {:?}", error(text));
        }
        for text in [&"a".repeat(MAX_PATTERN_BYTES + 1), &("(".repeat(60) + &")".repeat(60)), r"(\w{500}){500}"] {
            assert_eq!(error(text), PatternError::TooLarge, "{text}");
        }
    }

    #[test]
    fn the_patterns_of_azures_pages_compile() {
        for text in
            [r"(https?):\/\/.*azurewebsites\.net(.*)$", "/(.+)/(.+)", r"(\d)(\d)", "^Bearer", "category=shoes", ".*"]
        {
            assert!(Pattern::compile(text, Case::Insensitive).is_ok(), "{text}");
        }
    }

    #[test]
    fn case_counts_unless_it_is_ignored() {
        let matches = |case| Pattern::compile("^Bearer", case).expect("a pattern").is_match(b"bearer x");
        assert!(!matches(Case::Sensitive));
        assert!(matches(Case::Insensitive));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_compiler_panic(text in ".{0,40}", insensitive: bool) {
            let case = if insensitive { Case::Insensitive } else { Case::Sensitive };
            if let Err(error) = Pattern::compile(&text, case) {
                prop_assert!(!error.to_string().is_empty() && !error.remedy().is_empty());
            }
        }
    }
}
