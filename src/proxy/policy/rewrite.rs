//! Rewrites of headers and URLs: which rules apply to a request and its answer, and what they make of them.
//!
//! Every condition and every value is made of the request that the client sent and the answer that the backend gave, whatever the rules
//! before have done: each rule can be read by itself. Where two rules write one thing, the later one counts.

mod expand;
mod facts;

use std::sync::Arc;

use http::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use self::expand::{BadValue, MetRule};
use self::facts::{ConnectionFacts, Facts, KeptFacts, RequestFacts};
use crate::model::rewrite::{HeaderRewrite, ValueMatcher};
use crate::model::{PolicyOrigin, RewriteSet};
use crate::proxy::limits::MAX_REWRITTEN_BYTES;
use crate::proxy::request::authority::Authority;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::edits::RequestEdits;
use crate::proxy::request::headers::ServerRemoved;
use crate::proxy::request::record::RequestRecord;
use crate::proxy::request::refusal::Refusal;
use crate::proxy::request::target::RequestTarget;

/// What the rules make of a request.
pub(in crate::proxy) struct RequestRewrite {
    pub(in crate::proxy) edits: RequestEdits,
    /// Whether the path in the edits decides on the route.
    pub(in crate::proxy) reroute: bool,
    /// The rules for its answer, if there are any.
    pub(in crate::proxy) answer: Option<AnswerRewrite>,
}

/// The rules for an answer, and what they have to know of its request.
pub(in crate::proxy) struct AnswerRewrite {
    set: Arc<RewriteSet>,
    kept: KeptFacts,
    target: RequestTarget,
}

/// Applies the rules to a request. The headers are those that the client sent.
///
/// # Errors
/// A URL that the client has had its part in is too long, or could be read in more than one way.
pub(in crate::proxy) fn request(
    set: &Arc<RewriteSet>,
    context: &ConnectionContext,
    target: &RequestTarget,
    headers: &HeaderMap,
    record: &RequestRecord,
) -> Result<RequestRewrite, Refusal> {
    let request = RequestFacts::new(record, headers);
    let facts = Facts { connection: ConnectionFacts::new(context), request, target, answer: None };
    let mut values = Values::new(set);
    let (edits, reroute) = edit(set, &facts, &mut values)?;
    values.count(context);
    let kept =
        || AnswerRewrite { set: Arc::clone(set), kept: request.keep(set.kept_headers()), target: target.clone() };
    Ok(RequestRewrite { edits, reroute, answer: set.rewrites_answers().then(kept) })
}

/// What the rules make of a request, and whether the path decides on the route.
fn edit(set: &RewriteSet, facts: &Facts<'_>, values: &mut Values<'_>) -> Result<(RequestEdits, bool), Refusal> {
    let (mut edits, mut reroute) = (RequestEdits::default(), false);
    for rule in set.rules.iter().filter(|rule| rule.rewrites_requests()) {
        let Some(met) = MetRule::check(rule, facts) else { continue };
        for HeaderRewrite { name, matcher: _, value } in &rule.request_headers {
            // Where it can't be made, the client's header must not pass for it.
            let value = values.header(name, met.header(value, facts, None).ok());
            edits.set_header(name, value.filter(|value| !value.is_empty()));
        }
        // `OPTIONS *` has neither path nor query.
        let Some(url) = rule.url.as_ref().filter(|_| facts.target.path() != "*") else { continue };
        if let Some(path) = &url.path {
            edits.path = Some(met.path(path, facts).map_err(refused)?);
            reroute = url.reroute;
        }
        if let Some(query) = &url.query {
            edits.query = Some(met.query(query, facts).map_err(refused)?);
        }
    }
    Ok((edits, reroute))
}

fn refused(bad: BadValue) -> Refusal {
    Refusal::malformed(match bad {
        BadValue::Dots => "the path that is made of this request has '.' or '..' elements",
        BadValue::TooLong => "the URL that is made of this request is too long",
    })
}

impl AnswerRewrite {
    /// Applies the rules to an answer of a backend.
    pub(in crate::proxy) fn apply<B>(&self, context: &ConnectionContext, answer: &mut Response<B>) {
        let Self { set, kept, target } = self;
        // The rules look at the answer as the backend gave it.
        let given = if set.looks_at_answers() { answer.headers().clone() } else { HeaderMap::new() };
        let (connection, request) = (ConnectionFacts::new(context), kept.request());
        let facts = Facts { connection, request, target, answer: Some((answer.status(), &given)) };
        let mut values = Values::new(set);
        edit_answer(set, &facts, answer, &mut values);
        values.count(context);
    }
}

/// What the rules make of an answer.
fn edit_answer<B>(set: &RewriteSet, facts: &Facts<'_>, answer: &mut Response<B>, values: &mut Values<'_>) {
    let mut removes_server = false;
    for rule in set.rules.iter().filter(|rule| !rule.response_headers.is_empty()) {
        let Some(met) = MetRule::check(rule, facts) else { continue };
        for header in &rule.response_headers {
            values.rewrite(&met, header, facts, answer.headers_mut());
            removes_server |= header.name == header::SERVER;
        }
    }
    if removes_server && !answer.headers().contains_key(header::SERVER) {
        answer.extensions_mut().insert(ServerRemoved);
    }
}

/// The values that the rules of a set make of one message.
struct Values<'a> {
    origin: &'a PolicyOrigin,
    /// Bytes that they may still have.
    budget: usize,
    /// Those that could not be written.
    left_out: u64,
}

impl<'a> Values<'a> {
    fn new(set: &'a RewriteSet) -> Self {
        Self { origin: &set.origin, budget: MAX_REWRITTEN_BYTES, left_out: 0 }
    }

    /// Counts those that could not be written.
    fn count(&self, context: &ConnectionContext) {
        if self.left_out > 0 {
            context.state.metrics.rewrites_left_out(&self.origin.owner, self.left_out);
        }
    }

    /// A value for a header, if it can be one. What can't is left out and counted: the message goes on without it.
    fn header(&mut self, name: &HeaderName, made: Option<Vec<u8>>) -> Option<HeaderValue> {
        let value = made.filter(|value| value.len() <= self.budget).and_then(|value| {
            let value = HeaderValue::from_maybe_shared(bytes::Bytes::from(value)).ok()?;
            let is_authority = || value.to_str().is_ok_and(|host| Authority::parse(host).is_ok());
            (*name != header::HOST || is_authority()).then_some(value)
        });
        match &value {
            Some(value) => self.budget -= value.len(),
            None => {
                self.left_out += 1;
                tracing::debug!(origin = %self.origin, header = %name, "a value that can't be sent is left out");
            }
        }
        value
    }

    /// Rewrites a header of an answer.
    fn rewrite(&mut self, met: &MetRule<'_>, header: &HeaderRewrite, facts: &Facts<'_>, headers: &mut HeaderMap) {
        let HeaderRewrite { name, matcher, value } = header;
        let Some(ValueMatcher { pattern, negate }) = matcher else {
            match self.header(name, met.header(value, facts, None).ok()) {
                Some(value) if value.is_empty() => drop(headers.remove(name)),
                Some(value) => drop(headers.insert(name, value)),
                None => {}
            }
            return;
        };
        let before: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
        headers.remove(name);
        for line in before {
            let captures = pattern.captures(line.as_bytes());
            if captures.is_some() == *negate {
                headers.append(name, line);
                continue;
            }
            let made = met.header(value, facts, Some((line.as_bytes(), captures.as_ref()))).ok();
            match self.header(name, made) {
                Some(value) if value.is_empty() => {}
                Some(value) => drop(headers.append(name, value)),
                None => drop(headers.append(name, line.clone())),
            }
        }
    }
}

#[cfg(test)]
mod tests;
