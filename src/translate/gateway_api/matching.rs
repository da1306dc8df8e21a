//! The requests that a rule is for (HTTPRouteMatch).

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, Method};

use crate::api::gateway_api::{HttpHeaderMatch, HttpPathMatch, HttpQueryParamMatch, HttpRouteMatch};
use crate::model::{Conditions, NamedValue, PathMatch, RouteMatch};
use crate::report::Reason;
use crate::translate::report::Fault;

/// Reads a match. The part of a fault is the field within the match, with a dot before it.
pub(super) fn read(written: &HttpRouteMatch) -> Result<RouteMatch, Fault> {
    let HttpRouteMatch { path, headers, query_params, method } = written;
    let default = HttpPathMatch::default();
    let path = read_path(path.as_ref().unwrap_or(&default))?;
    let method = method.as_deref().map(read_method).transpose()?;
    let conditions =
        Conditions { method, headers: read_headers(headers)?, query: read_parameters(query_params)? }.into_shared();
    Ok(RouteMatch { path, conditions })
}

fn read_path(HttpPathMatch { type_, value }: &HttpPathMatch) -> Result<PathMatch, Fault> {
    let text = value.as_deref().unwrap_or("/");
    let path = match type_.as_deref().unwrap_or("PathPrefix") {
        "Exact" => PathMatch::exact(text),
        "PathPrefix" => PathMatch::prefix(text),
        other => return Err(unsupported(".path.type", other, "Exact or PathPrefix")),
    };
    path.map_err(|error| invalid(".path.value", format!("{text:?} is not a path: {error}"), "correct the path"))
}

fn read_method(text: &str) -> Result<Arc<str>, Fault> {
    match Method::from_bytes(text.as_bytes()) {
        Ok(_) => Ok(text.into()),
        Err(_) => Err(invalid(".method", format!("{text:?} is no method"), "write a method such as GET")),
    }
}

/// Of two conditions on one header, the first counts.
fn read_headers(headers: &[HttpHeaderMatch]) -> Result<Box<[NamedValue]>, Fault> {
    let mut values = BTreeMap::new();
    for HttpHeaderMatch { type_, name, value } in headers {
        check_type(".headers", type_.as_deref())?;
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(invalid(".headers", format!("{name:?} is no name of a header"), "correct the name"));
        };
        values.entry(name.as_str().into()).or_insert_with(|| value.as_str().into());
    }
    Ok(named(values))
}

/// Of two conditions on one parameter, the first counts.
fn read_parameters(parameters: &[HttpQueryParamMatch]) -> Result<Box<[NamedValue]>, Fault> {
    let mut values = BTreeMap::new();
    for HttpQueryParamMatch { type_, name, value } in parameters {
        check_type(".queryParams", type_.as_deref())?;
        values.entry(name.as_str().into()).or_insert_with(|| value.as_str().into());
    }
    Ok(named(values))
}

fn named(values: BTreeMap<Arc<str>, Arc<str>>) -> Box<[NamedValue]> {
    values.into_iter().map(|(name, value)| NamedValue { name, value }).collect()
}

fn check_type(part: &'static str, type_: Option<&str>) -> Result<(), Fault> {
    match type_ {
        None | Some("Exact") => Ok(()),
        Some(other) => Err(unsupported(part, other, "Exact")),
    }
}

fn unsupported(part: &'static str, value: &str, supported: &str) -> Fault {
    Fault {
        reason: Reason::UnsupportedValue,
        part,
        message: format!("type {value:?} is not served"),
        remedy: format!("write {supported}"),
    }
}

fn invalid(part: &'static str, message: String, remedy: &str) -> Fault {
    Fault { reason: Reason::InvalidValue, part, message, remedy: remedy.to_owned() }
}
