//! Filters of a rule (HTTPRouteFilter). One that can't be served is never skipped: the requests of its rule are answered 500.

use crate::api::gateway_api::{
    HeaderModifier as Written, HttpFilter, NamedHeader, PathModifier, RequestRedirect, UrlRewrite,
};
use crate::model::rewrite::{Direction, rewritable_header};
use crate::model::{
    HeaderChange, HeaderModifier, HostHeader, HostPattern, ObjectRef, PathMatch, PathReplacement, Protocol, Redirect,
    RedirectPath, RedirectPort, RedirectQuery, UrlScheme,
};
use crate::report::Reason;
use crate::translate::claim::PortProtocol;
use crate::translate::report::Reports;

/// The filters of a rule.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadFilters {
    pub(super) request: HeaderModifier,
    pub(super) response: HeaderModifier,
    pub(super) redirect: Option<RequestRedirect>,
    pub(super) rewrite: Option<UrlRewrite>,
}

/// Reads the filters of a rule. The error is the reason why no request of the rule may be served.
pub(super) fn read(
    owner: &ObjectRef,
    rule: &str,
    filters: &[HttpFilter],
    reports: &mut Reports,
) -> Result<ReadFilters, Reason> {
    let mut read = Ok(ReadFilters::default());
    for (index, filter) in filters.iter().enumerate() {
        let field = format!("{rule}.filters[{index}]");
        if let Err(reason) = add(owner, &field, filter, &mut read, reports) {
            read = Err(reason);
        }
    }
    if let Ok(ReadFilters { redirect: Some(_), rewrite: Some(_), .. }) = read {
        let message = "RequestRedirect and URLRewrite can't stand in one rule, so its requests are answered 500";
        reports.error(owner, format!("{rule}.filters"), Reason::IncompatibleFilters, message, "remove one of the two");
        return Err(Reason::IncompatibleFilters);
    }
    read
}

fn add(
    owner: &ObjectRef,
    field: &str,
    filter: &HttpFilter,
    read: &mut Result<ReadFilters, Reason>,
    reports: &mut Reports,
) -> Result<(), Reason> {
    let HttpFilter {
        type_,
        request_header_modifier,
        response_header_modifier,
        request_mirror: _,
        request_redirect,
        url_rewrite,
        cors: _,
        extension_ref,
    } = filter;
    let Ok(filters) = read else { return Ok(()) };
    let is_there = match type_.as_str() {
        "RequestHeaderModifier" => request_header_modifier.as_ref().map(|written| {
            let at = format!("{field}.requestHeaderModifier");
            filters.request.0.extend(modifier(owner, &at, written, Direction::Request, reports));
        }),
        "ResponseHeaderModifier" => response_header_modifier.as_ref().map(|written| {
            let at = format!("{field}.responseHeaderModifier");
            filters.response.0.extend(modifier(owner, &at, written, Direction::Answer, reports));
        }),
        "RequestRedirect" => request_redirect.as_ref().map(|redirect| filters.redirect = Some(redirect.clone())),
        "URLRewrite" => url_rewrite.as_ref().map(|rewrite| filters.rewrite = Some(rewrite.clone())),
        "ExtensionRef" => {
            let kind = extension_ref.as_ref().map(|reference| reference.kind.as_str()).unwrap_or_default();
            let message = format!("no filter of kind {kind:?} is known, so the rule's requests are answered 500");
            reports.error(owner, format!("{field}.extensionRef"), Reason::InvalidKind, message, "remove the filter");
            return Err(Reason::InvalidKind);
        }
        other => {
            let message = format!("filters of type {other:?} are not served, so the rule's requests are answered 500");
            let remedy = "write RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect or URLRewrite";
            reports.error(owner, format!("{field}.type"), Reason::UnsupportedValue, message, remedy);
            return Err(Reason::UnsupportedValue);
        }
    };
    is_there.ok_or_else(|| {
        let message = format!("the filter has no field for its type {type_}, so the rule's requests are answered 500");
        reports.error(owner, field, Reason::InvalidValue, message, "add the field");
        Reason::InvalidValue
    })
}

/// The changes of headers that can be made. Others are reported and left out.
fn modifier(
    owner: &ObjectRef,
    field: &str,
    Written { set, add, remove }: &Written,
    direction: Direction,
    reports: &mut Reports,
) -> Vec<HeaderChange> {
    let mut changes = Vec::new();
    let mut refuse = |field: String, message: String| {
        reports.error(
            owner,
            field,
            Reason::InvalidValue,
            format!("{message}, so it is left out"),
            "remove or correct it",
        );
    };
    for (list, headers) in [("set", set), ("add", add)] {
        for (index, NamedHeader { name, value }) in headers.iter().enumerate() {
            let field = format!("{field}.{list}[{index}]");
            match (rewritable_header(name, direction), value.parse()) {
                (Err(error), _) => refuse(format!("{field}.name"), error.to_string()),
                (Ok(_), Err(_)) => {
                    refuse(format!("{field}.value"), format!("{value:?} can't be the value of a header"))
                }
                (Ok(name), Ok(value)) if list == "set" => changes.push(HeaderChange::Set(name, value)),
                (Ok(name), Ok(value)) => changes.push(HeaderChange::Add(name, value)),
            }
        }
    }
    for (index, name) in remove.iter().enumerate() {
        match rewritable_header(name, direction) {
            Ok(name) => changes.push(HeaderChange::Remove(name)),
            Err(error) => refuse(format!("{field}.remove[{index}]"), error.to_string()),
        }
    }
    changes
}

/// The redirect of a rule, for requests that `path` matches on a listener.
pub(super) fn redirect(
    owner: &ObjectRef,
    rule: &str,
    written: &RequestRedirect,
    path: &PathMatch,
    at: PortProtocol,
    reports: &mut Reports,
) -> Result<Redirect, Reason> {
    let RequestRedirect { scheme, hostname, path: new_path, port, status_code } = written;
    let field = format!("{rule}.filters");
    let mut refuse = |part: &str, message: String, remedy: &str| {
        let message = format!("{message}, so the rule's requests are answered 500");
        reports.error(owner, format!("{field}.requestRedirect.{part}"), Reason::UnsupportedValue, message, remedy);
        Reason::UnsupportedValue
    };
    let code = status_code.unwrap_or(302);
    let status = u16::try_from(code).ok().filter(|status| matches!(status, 301 | 302 | 303 | 307 | 308));
    let status = status.ok_or_else(|| {
        refuse("statusCode", format!("{code} is no status of a redirect"), "write 301, 302, 303, 307 or 308")
    })?;
    let (url_scheme, default_port) = match (scheme.as_deref(), at.protocol) {
        (Some("http"), _) => (UrlScheme::Http, Some(80)),
        (Some("https"), _) => (UrlScheme::Https, Some(443)),
        (None, Protocol::Https) => (UrlScheme::Https, None),
        (None, _) => (UrlScheme::Http, None),
        (Some(other), _) => {
            return Err(refuse("scheme", format!("scheme {other:?} is not served"), "write http or https"));
        }
    };
    let port = match (port.map(u16::try_from), default_port) {
        (Some(Ok(port)), _) if port > 0 => RedirectPort::Elsewhere(port),
        (Some(_), _) => return Err(refuse("port", "it is no port".to_owned(), "write a number from 1 to 65535")),
        (None, Some(port)) => RedirectPort::Elsewhere(port),
        (None, None) => RedirectPort::Listener(at.port),
    };
    let host =
        hostname.as_deref().map(|text| host_name(owner, &field, "requestRedirect", text, reports)).transpose()?;
    let path = match new_path {
        None => RedirectPath::Keep,
        Some(modifier) => match replacement(owner, &field, "requestRedirect", modifier, path, reports)? {
            PathReplacement::Full(path) => RedirectPath::Replace(path),
            prefix @ PathReplacement::Prefix { .. } => RedirectPath::ReplacePrefix(prefix),
        },
    };
    let query = RedirectQuery { own: None, keep: true };
    Ok(Redirect { status, scheme: url_scheme, host: host.map(Into::into), port, path, query, fragment: None })
}

/// The host and the path that a backend gets.
pub(super) fn rewrite(
    owner: &ObjectRef,
    rule: &str,
    written: Option<&UrlRewrite>,
    path: &PathMatch,
    reports: &mut Reports,
) -> Result<(HostHeader, Option<PathReplacement>), Reason> {
    let Some(UrlRewrite { hostname, path: new_path }) = written else { return Ok((HostHeader::Preserve, None)) };
    let field = format!("{rule}.filters");
    let host = match hostname.as_deref() {
        None => HostHeader::Preserve,
        Some(text) => HostHeader::Set(host_name(owner, &field, "urlRewrite", text, reports)?),
    };
    let path = new_path.as_ref().map(|modifier| replacement(owner, &field, "urlRewrite", modifier, path, reports));
    Ok((host, path.transpose()?))
}

/// A host name that takes the place of that of a request.
fn host_name(owner: &ObjectRef, field: &str, part: &str, text: &str, reports: &mut Reports) -> Result<String, Reason> {
    match HostPattern::any_labels(text) {
        Ok(HostPattern::Exact(name)) => Ok(name.to_string()),
        _ => {
            let message = format!("{text:?} is not the name of one host, so the rule's requests are answered 500");
            reports.error(owner, format!("{field}.{part}.hostname"), Reason::InvalidValue, message, "correct the name");
            Err(Reason::InvalidValue)
        }
    }
}

/// What takes the place of the path of a request that `matched` matches.
fn replacement(
    owner: &ObjectRef,
    field: &str,
    part: &str,
    PathModifier { type_, replace_full_path, replace_prefix_match }: &PathModifier,
    matched: &PathMatch,
    reports: &mut Reports,
) -> Result<PathReplacement, Reason> {
    let full = |text: &str| PathMatch::exact(if text.is_empty() { "/" } else { text });
    let problem = match (type_.as_str(), replace_full_path, replace_prefix_match, matched) {
        ("ReplaceFullPath", Some(text), None, _) => match full(text) {
            Ok(path) => return Ok(PathReplacement::Full(path.example().into())),
            Err(error) => format!("{text:?} is not a path: {error}"),
        },
        ("ReplacePrefixMatch", None, Some(text), PathMatch::Prefix(prefix)) => match full(text) {
            Ok(path) => {
                let replacement = path.example().trim_end_matches('/').into();
                return Ok(PathReplacement::Prefix { prefix: prefix.clone(), replacement });
            }
            Err(error) => format!("{text:?} is not a path: {error}"),
        },
        ("ReplacePrefixMatch", None, Some(_), _) => "a prefix can be replaced only where the match has one".to_owned(),
        ("ReplaceFullPath" | "ReplacePrefixMatch", ..) => format!("type {type_} needs its own field, and no other"),
        (other, ..) => format!("type {other:?} is not served"),
    };
    let remedy = "write ReplaceFullPath with replaceFullPath, or ReplacePrefixMatch with replacePrefixMatch and a path of type PathPrefix";
    let message = format!("{problem}, so the rule's requests are answered 500");
    reports.error(owner, format!("{field}.{part}.path"), Reason::UnsupportedValue, message, remedy);
    Err(Reason::UnsupportedValue)
}
