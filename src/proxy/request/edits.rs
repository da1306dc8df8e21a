//! Edits of a request on its way to a member: what policies have decided, as plain data. Forwarding applies them to the request that it
//! has prepared.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What is changed in a request before it goes out. What is not named stays.
#[derive(Debug, Default)]
pub(in crate::proxy) struct RequestEdits {
    /// Headers, in the order in which they are edited.
    headers: Vec<(HeaderName, HeaderEdit)>,
    /// The `Host` that the backend gets, whatever the route says.
    pub(in crate::proxy) host: Option<HeaderValue>,
    /// The path in its normal form.
    pub(in crate::proxy) path: Option<String>,
    /// The most bytes of a body whose length is not declared.
    pub(in crate::proxy) max_body: Option<u64>,
    /// The query without its `?`. Empty: there is none.
    pub(in crate::proxy) query: Option<String>,
}

/// An edit of one header.
#[derive(Debug)]
enum HeaderEdit {
    /// The value takes the place of all it had.
    Set(HeaderValue),
    /// It gets one more value.
    Add(HeaderValue),
    /// It is removed.
    Remove,
}

impl RequestEdits {
    /// Nothing but a limit for the body.
    pub(in crate::proxy) fn of_body(max_body: u64) -> Self {
        Self { max_body: Some(max_body), ..Self::default() }
    }

    /// Sets a header; `None`: removes it. `Host` can only be set.
    pub(in crate::proxy) fn set_header(&mut self, name: &HeaderName, value: Option<HeaderValue>) {
        match value {
            host if *name == header::HOST => self.host = host.or(self.host.take()),
            value => self.headers.push((name.clone(), value.map_or(HeaderEdit::Remove, HeaderEdit::Set))),
        }
    }

    /// Gives a header one more value. `Host` has one alone, which this takes the place of.
    pub(in crate::proxy) fn add_header(&mut self, name: &HeaderName, value: HeaderValue) {
        if *name == header::HOST {
            self.host = Some(value);
        } else {
            self.headers.push((name.clone(), HeaderEdit::Add(value)));
        }
    }

    /// Edits the headers that go out, but for `Host`, which is set for each member.
    pub(in crate::proxy) fn apply(&self, headers: &mut HeaderMap) {
        for (name, edit) in &self.headers {
            match edit {
                HeaderEdit::Set(value) => {
                    headers.insert(name, value.clone());
                }
                HeaderEdit::Add(value) => {
                    headers.append(name, value.clone());
                }
                HeaderEdit::Remove => {
                    headers.remove(name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_takes_the_place_of_every_value() {
        let mut edits = RequestEdits::default();
        let (a, b) = (HeaderName::from_static("x-a"), HeaderName::from_static("x-b"));
        edits.set_header(&a, Some(HeaderValue::from_static("1")));
        edits.set_header(&a, Some(HeaderValue::from_static("2")));
        edits.set_header(&b, None);
        edits.set_header(&header::HOST, Some(HeaderValue::from_static("h")));
        edits.set_header(&header::HOST, None);
        let mut headers = HeaderMap::new();
        for (name, value) in [(&a, "x"), (&a, "y"), (&b, "z")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        edits.apply(&mut headers);
        assert_eq!(headers.iter().collect::<Vec<_>>(), [(&a, &HeaderValue::from_static("2"))]);
        assert_eq!(edits.host, Some(HeaderValue::from_static("h")), "Host can't be removed");
    }
}
