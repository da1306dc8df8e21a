//! `steadygate explain`: which route takes a request, what it answers, and why no other route takes it.

/// Prints a line, in which there are texts of others.
macro_rules! print_line {
    ($($text:tt)+) => { println!("{}", crate::report::printable(&format!($($text)+))) };
}

mod listener;
mod members;
mod policies;
mod refusals;
mod reports;
mod route;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};

use super::objects::ObjectOptions;
use super::run::affinity::{self, AffinityOptions};
use crate::model::{
    Action, AddressPolicy, EncodedSlashes, HostPattern, MatchInput, PoolId, Protocol, RequestHead, decode_slashes,
    has_encoded_slashes, normalise_host, normalise_path,
};
use crate::pool::{AffinityKey, Registry};
use crate::report::Report;
use crate::source::directory;
use crate::table::{Explanation, Target, compile};
use crate::translate::translate;
use listener::explain_on;
use reports::report_lines;
use route::print_other_routes;

/// Arguments of `steadygate explain`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Explain {
    /// Directory of manifests
    #[arg(long, value_name = "DIR")]
    manifests: PathBuf,

    /// What is asked for; the frontend port is 80 or 443 unless it is named
    url: Uri,

    /// Method of the request
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    method: Method,

    /// A header of the request, which routes may look at; Host names the host (repeatable)
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,

    #[command(flatten)]
    objects: ObjectOptions,

    #[command(flatten)]
    affinity: AffinityOptions,
}

impl Explain {
    /// Prints the explanation. The exit code is 1 if the request would not be served.
    ///
    /// # Errors
    /// The directory can't be read, or the URL is not valid.
    pub(super) fn execute(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.explain())
    }

    async fn explain(self) -> anyhow::Result<ExitCode> {
        let Some(authority) = self.url.authority() else {
            bail!("{} is no absolute URL: write it as https://example.com/path", self.url)
        };
        let port = match (authority.port_u16(), self.url.scheme_str()) {
            (Some(port), _) => port,
            (None, Some("https" | "wss")) => 443,
            (None, _) => 80,
        };
        let headers = self.headers()?;
        let head = RequestHead::Received { method: &self.method, headers: &headers, query: self.url.query() };
        let mut host = normalise_host(host_header(&headers)?.as_deref().unwrap_or(authority.host()));
        let mut path = normalise_path(self.url.path());

        let input = directory::read(&self.manifests)?;
        let options = self.objects.of_directory();
        let translation = translate(&input.snapshot, &options);
        let key = affinity::read_key(self.affinity.affinity_key_file.as_deref())?;
        let key = key.unwrap_or_else(AffinityKey::random);
        let registry = Registry::new(
            tokio::runtime::Handle::current(),
            AddressPolicy { allow_loopback: true, ..AddressPolicy::default() },
            key,
        );
        // Only the pools of the route that is chosen are probed: the table is compiled once to choose, once to probe.
        let unprobed = compile(&translation.model, 1, &Default::default());
        let protocol = unprobed.listener(port).map(|listener| listener.protocol);
        if protocol == Some(Protocol::Tcp) {
            host = HostPattern::of_port(port).to_string();
        }
        if matches!(protocol, Some(Protocol::Tcp | Protocol::Tls)) {
            path = "".into();
        }
        let find = |path: &str| unprobed.listener(port)?.find(&host, MatchInput { path, head: &head });
        let mut chosen = find(&path);
        let disguised = has_encoded_slashes(self.url.path());
        let slashes = if disguised { encoded_slashes(chosen) } else { EncodedSlashes::Keep };
        if slashes == EncodedSlashes::Decode {
            path = decode_slashes(&path).0.into();
            chosen = find(&path);
        }
        let requested = MatchInput { path: &path, head: &head };
        let is_wanted = |id: &PoolId| chosen.is_some_and(|target| target.route.action.pools().any(|pool| pool == id));
        let specs = translation.model.pools.iter().filter(|(id, _)| is_wanted(id));
        let specs = specs.map(|(id, pool)| (id.clone(), Arc::clone(pool))).collect();
        let table = compile(&translation.model, 1, &registry.apply(&specs, &BTreeMap::new()));

        match protocol {
            Some(Protocol::Tcp) => print_line!("connection frontend port {port}"),
            Some(Protocol::Tls) => print_line!("connection server name {host:?}, frontend port {port}"),
            Some(Protocol::Http | Protocol::Https) | None => {
                print_line!("request    host {host:?}, path {path:?}, frontend port {port}")
            }
        }
        let (served, explanation) = match table.listener(port) {
            Some(listener) => explain_on(listener, port, &host, requested).await,
            None => {
                let ports: Vec<String> = table.ports().map(|port| port.to_string()).collect();
                print_line!("listener   none on port {port}; there are: {}", ports.join(", "));
                (false, Explanation { chosen: None, considered: Vec::new() })
            }
        };
        let refused = slashes != EncodedSlashes::Keep && encoded_slashes(chosen) == EncodedSlashes::Refuse;
        if refused {
            print_line!("answer     400: the route takes no path with an encoded slash, a backslash or a semicolon");
        }
        print_other_routes(&explanation);
        let reports: Vec<&Report> = input.reports.iter().chain(&translation.reports).collect();
        for line in report_lines(&reports, &input.snapshot, &host, &explanation) {
            print_line!("{line}");
        }
        Ok(if served && !refused { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn headers(&self) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for header in &self.headers {
            let invalid = || format!("-H {header:?} is not 'Name: value'");
            let (name, value) = header.split_once(':').with_context(invalid)?;
            let name: HeaderName = name.trim().parse().with_context(invalid)?;
            let value: HeaderValue = value.trim().parse().with_context(invalid)?;
            headers.append(name, value);
        }
        Ok(headers)
    }
}

/// The host that the header `Host` names.
fn host_header(headers: &HeaderMap) -> anyhow::Result<Option<String>> {
    let Some(value) = headers.get(header::HOST) else { return Ok(None) };
    let authority = http::uri::Authority::try_from(value.as_bytes());
    let authority = authority.with_context(|| format!("-H Host: {value:?} names no host"))?;
    Ok(Some(authority.host().to_owned()))
}

/// What a route does with paths that have encoded slashes.
fn encoded_slashes(target: Option<&Arc<Target>>) -> EncodedSlashes {
    match target.map(|target| &target.route.action) {
        Some(Action::Forward(forward)) => forward.encoded_slashes,
        _ => EncodedSlashes::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(flatten)]
        explain: Explain,
    }

    #[test]
    fn the_host_may_be_a_header_and_routes_look_at_the_others() {
        let read = |arguments: &[&'static str]| {
            let all = ["explain", "--manifests", ".", "http://a.example/"].iter().chain(arguments).copied();
            <CommandLine as clap::Parser>::parse_from(all).explain
        };
        let explain = read(&["-X", "POST", "-H", "Host: b.example:8080", "-H", "X-A: 1"]);
        let headers = explain.headers().expect("headers");
        assert_eq!(host_header(&headers).expect("a host").as_deref(), Some("b.example"));
        assert_eq!((explain.method, &headers["x-a"]), (Method::POST, &HeaderValue::from_static("1")));
        let without = read(&[]).headers().expect("none");
        assert_eq!(host_header(&without).expect("none"), None);
        assert!(read(&["-H", "nothing"]).headers().is_err());
        let wrong = read(&["-H", "Host: a b"]).headers().expect("a header");
        assert!(host_header(&wrong).is_err());
    }
}
