//! `steadygate explain`: what a request would get, and why nothing else.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use http::Uri;

use crate::model::{Action, HostHeader, Unavailable, normalise_path};
use crate::pool::{Health, Policy, Pool, Registry};
use crate::proxy::normalise_host;
use crate::source::directory;
use crate::table::{Explanation, ListenerTable, Miss, Target, compile};
use crate::translate::{Options, translate};

/// How long members are given to answer their probes.
const PROBE_WAIT: Duration = Duration::from_secs(3);

/// Arguments of `steadygate explain`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Explain {
    /// Directory of manifests
    #[arg(long, value_name = "DIR")]
    manifests: PathBuf,

    /// What is asked for; the frontend port is 80 or 443 unless it is named
    url: Uri,

    /// A header of the request; Host is the one that routes look at (repeatable)
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,

    /// Serve IngressClasses of this controller too (repeatable)
    #[arg(long, value_name = "NAME")]
    serve_controller: Vec<String>,
}

impl Explain {
    /// Explains. Exit code 1: nothing would serve the request.
    ///
    /// # Errors
    /// The directory can't be read, or the URL is none.
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
        let host = normalise_host(self.host_header()?.as_deref().unwrap_or(authority.host()));
        let path = normalise_path(self.url.path()).into_owned();

        let input = directory::read(&self.manifests)?;
        let options = Options { serve_controllers: self.serve_controller.clone(), everything_without_class: true };
        let translation = translate(&input.snapshot, &options);
        let registry = Registry::new(tokio::runtime::Handle::current(), Policy { allow_loopback: true });
        // Only the pool that is chosen is probed: the table is compiled once to choose, once to probe.
        let chosen = compile(&translation.model, 1, &Default::default());
        let wanted =
            chosen.listener(port).and_then(|listener| listener.find(&host, &path)).and_then(|target| pool_of(target));
        let mut specs = translation.model.pools.clone();
        specs.retain(|id, _| Some(id) == wanted.as_ref());
        let table = compile(&translation.model, 1, &registry.apply(&specs));

        let Some(listener) = table.listener(port) else {
            let ports: Vec<String> = table.ports().map(|port| port.to_string()).collect();
            println!("listener   none on port {port}; there are: {}", ports.join(", "));
            return Ok(ExitCode::FAILURE);
        };
        println!("request    host {host:?}, path {path:?}, frontend port {port}");
        println!("listener   {port} {:?}{}", listener.protocol, certificate(listener, &host));
        let explanation = listener.explain(&host, &path);
        let served = match &explanation.chosen {
            Some(target) => tell(target).await,
            None => {
                println!("route      none: 404");
                false
            }
        };
        others(&explanation);
        let owner = explanation.chosen.as_ref().map(|target| &target.route.owner);
        for report in input.reports.iter().chain(&translation.reports).filter(|report| Some(&report.object) == owner) {
            println!("report     {report}");
        }
        Ok(if served { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn host_header(&self) -> anyhow::Result<Option<String>> {
        for header in &self.headers {
            let (name, value) =
                header.split_once(':').with_context(|| format!("-H {header:?} is not 'Name: value'"))?;
            if name.trim().eq_ignore_ascii_case("host") {
                let authority: http::uri::Authority =
                    value.trim().parse().with_context(|| format!("-H {header:?} names no host"))?;
                return Ok(Some(authority.host().to_owned()));
            }
        }
        Ok(None)
    }
}

fn pool_of(target: &Target) -> Option<crate::model::PoolId> {
    match &target.route.action {
        Action::Forward(backend) => Some(backend.pool.clone()),
        Action::Redirect(_) | Action::Unavailable(_) => None,
    }
}

fn certificate(listener: &ListenerTable, host: &str) -> String {
    match (listener.protocol, listener.certificates.find(Some(host))) {
        (crate::model::Protocol::Http, _) => String::new(),
        (_, Some(certificate)) => format!(", certificate of Secret {}", certificate.id),
        (_, None) => ", no certificate for this host: the TLS handshake would fail".to_owned(),
    }
}

/// Prints what the route does; gives whether it would serve the request.
async fn tell(target: &Target) -> bool {
    println!("route      {}: {}, path {}", target.name, target.route.field, target.route.path);
    match &target.route.action {
        Action::Redirect(redirect) => {
            println!("answer     {} to https, port {}", redirect.status, redirect.port);
            true
        }
        Action::Unavailable(Unavailable::NOT_FOUND) => {
            println!("answer     404");
            false
        }
        Action::Unavailable(unavailable) => {
            println!("answer     503, {}", unavailable.reason);
            false
        }
        Action::Forward(backend) => {
            let host = match &backend.host {
                HostHeader::Preserve => "as the client sent it".to_owned(),
                HostHeader::Set(host) => host.clone(),
                HostHeader::Member => "the member's own".to_owned(),
            };
            println!("backend    pool {}, Host {host}, request timeout {:?}", backend.pool, backend.request_timeout);
            if let Some(rewrite) = &backend.rewrite {
                println!("rewrite    {:?} at the front of the path becomes {:?}", rewrite.strip, rewrite.prepend);
            }
            match &target.pool {
                Some(pool) => members(pool).await,
                None => false,
            }
        }
    }
}

/// Prints each member as its probe finds it now.
async fn members(pool: &Pool) -> bool {
    let deadline = tokio::time::Instant::now() + PROBE_WAIT;
    let pending = || {
        let unknown = pool.unavailable().is_some_and(|why| why.unknown > 0);
        unknown || pool.members().iter().any(|(member, ready)| *ready && member.health() == Health::Unknown)
    };
    while tokio::time::Instant::now() < deadline && pending() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (member, ready) in pool.members() {
        let state = if ready { member.health().name() } else { "not ready" };
        let probe = match member.last_outcome() {
            Some(Ok(status)) => format!("probe answered {status}"),
            Some(Err(failure)) => format!("probe failed: {failure}"),
            None => "probe not answered yet".to_owned(),
        };
        println!("member     {} {state}; {probe}", member.key.address);
    }
    match pool.unavailable() {
        None => true,
        Some(why) => {
            println!("answer     503, {}: {why}", why.reason());
            false
        }
    }
}

fn others(explanation: &Explanation) {
    for considered in &explanation.considered {
        let why = match considered.miss {
            None => continue,
            Some(Miss::Host) => "another host",
            Some(Miss::Path) => "another path",
            Some(Miss::Precedence) => "matches too, but goes after the one chosen",
        };
        let route = &considered.route;
        println!("not        {}: {}, host {}, path {}: {why}", route.owner, route.field, considered.host, route.path);
    }
}
