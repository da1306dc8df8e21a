//! Chooses between the two pools of a route that has a canary, by header and cookie.

use http::header::{self, HeaderMap};

use crate::model::{Canary, CanarySide};

/// The pool that a request chooses. `None`: it chooses none.
pub(super) fn side(Canary { origin: _, header, cookie }: &Canary, headers: &HeaderMap) -> Option<CanarySide> {
    let by_header = header.as_ref().and_then(|header| header.side(headers.get(&header.name)?.as_bytes()));
    by_header.or_else(|| {
        let name = cookie.as_deref()?;
        let cookies =
            headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        let mut values = cookies.filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        CanarySide::of_word(values.next()?)
    })
}
