//! New paths in the place of those that routes have matched (Gateway API, HTTPPathModifier).

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

/// A new path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum PathReplacement {
    /// This path. It begins with `/`.
    Full(Arc<str>),
    /// Another text in the place of the prefix that the route matches.
    Prefix {
        /// The prefix, without a `/` at its end.
        prefix: Arc<str>,
        /// The text in its place, without a `/` at its end.
        replacement: Arc<str>,
    },
}

impl PathReplacement {
    /// The path in the place of `path`, which the route has matched.
    pub fn apply<'a>(&'a self, path: &'a str) -> Cow<'a, str> {
        match self {
            Self::Full(path) => Cow::Borrowed(path),
            Self::Prefix { prefix, replacement } => match path.strip_prefix(&**prefix) {
                Some("") if replacement.is_empty() => Cow::Borrowed("/"),
                Some(rest) => Cow::Owned(format!("{replacement}{rest}")),
                None => Cow::Borrowed(path),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_replaced_as_the_table_of_gateway_api_has_it() {
        // HTTPPathModifier.replacePrefixMatch. The slashes at the ends of both texts have been removed.
        for (path, prefix, replacement, expected) in [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/bar", "", "/xyz", "/xyz/bar"),
        ] {
            let replacement = PathReplacement::Prefix { prefix: prefix.into(), replacement: replacement.into() };
            assert_eq!(replacement.apply(path), expected, "{path}");
        }
        assert_eq!(PathReplacement::Full("/new".into()).apply("/old/x"), "/new");
    }
}
