//! `steadygate run`, and what `demo` makes of it.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use ipnet::IpNet;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use super::demo;
use crate::app::{self, Config, Source};
use crate::proxy::{Bindings, ProxySettings};
use crate::source::Key;
use crate::source::cluster::Scope;
use crate::status::{self, PublishedAddresses};
use crate::translate::CONTROLLER;
use crate::websocket;

/// The Kubernetes client would tell of each failed try, and not of what; the watches tell of their trouble themselves.
const DEFAULT_LOG: &str = "info,kube_client=off";

/// Arguments of `steadygate run`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Run {
    /// Serve this directory of manifests (*.yaml, *.yml and *.json, in subdirectories too), and not a cluster
    #[arg(long, value_name = "DIR")]
    manifests: Option<PathBuf>,

    #[command(flatten)]
    cluster: Cluster,

    /// Serve a frontend port (what Ingresses call 80 and 443) at another address (repeatable)
    #[arg(long, value_name = "PORT=ADDR:PORT", value_parser = binding)]
    listen: Vec<(u16, SocketAddr)>,

    /// The address of the other frontend ports [default: all of the machine]
    #[arg(long, value_name = "ADDR")]
    address: Option<IpAddr>,

    /// Where /livez, /readyz, /metrics, /debug/config and /sessions are
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9180", env = "STEADYGATE_ADMIN")]
    admin: SocketAddr,

    /// Form of the log on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    /// What is logged (tracing's filter syntax: info, debug, access=off,info, …)
    #[arg(long, value_name = "FILTER", default_value = DEFAULT_LOG, env = "STEADYGATE_LOG")]
    log: String,

    /// No record of each request and session
    #[arg(long)]
    no_access_log: bool,

    /// Time for requests to finish and sessions to close (1001) after SIGTERM
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain_timeout: u64,

    /// Peers whose X-Forwarded-* headers are believed (repeatable)
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<IpNet>,

    /// Serve IngressClasses of this controller too, such as k8s.io/ingress-nginx or azure/application-gateway (repeatable)
    #[arg(long, value_name = "NAME")]
    serve_controller: Vec<String>,

    /// Take HTTP/2 with prior knowledge on clear-text listeners
    #[arg(long)]
    h2c: bool,

    /// Time for a request's header, and for which idle client connections are kept
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    header_timeout: u64,

    /// WebSocket sessions open at once; more handshakes are answered 503 [default: no limit]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_sessions: Option<u32>,

    /// WebSocket sessions that the gateway closes in a second at most, as long as a drain's time suffices
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    close_rate: u32,

    /// Worker threads [default: one a core]
    #[arg(long, value_name = "COUNT")]
    workers: Option<usize>,
}

/// What is asked of a cluster.
#[derive(Debug, Clone, clap::Args)]
struct Cluster {
    /// Serve the objects of this namespace only (repeatable) [default: of all]
    #[arg(long, conflicts_with = "manifests", value_name = "NAMESPACE")]
    namespace: Vec<String>,

    /// Our name in spec.controller of an IngressClass
    #[arg(long, conflicts_with = "manifests", value_name = "NAME", default_value = CONTROLLER)]
    controller_name: String,

    /// Write the addresses of this Service to the status of Ingresses and ApplicationGateways
    #[arg(long, conflicts_with = "manifests", value_name = "NAMESPACE/NAME", value_parser = key)]
    publish_service: Option<Key>,

    /// Write this IP address or host name there instead (repeatable)
    #[arg(long, value_name = "ADDR", value_parser = address, conflicts_with_all = ["manifests", "publish_service"])]
    publish_address: Vec<String>,

    /// The Lease by which replicas agree on the one that writes status; controllers of other names need others [default:
    /// steadygate in the pod's namespace]
    #[arg(long, conflicts_with = "manifests", value_name = "NAMESPACE/NAME", value_parser = key)]
    lease: Option<Key>,

    /// Longest silence of the API server before its watches are taken for dead
    #[arg(
        long,
        conflicts_with = "manifests",
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    api_timeout: u64,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}

fn binding(text: &str) -> Result<(u16, SocketAddr), String> {
    let (port, address) = text.split_once('=').ok_or("write it as PORT=ADDR:PORT, such as 80=127.0.0.1:8080")?;
    let port = port.parse().map_err(|_| format!("{port:?} is not a port"))?;
    let address = address.parse().map_err(|_| format!("{address:?} is not an address and port"))?;
    Ok((port, address))
}

fn key(text: &str) -> Result<Key, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Key::new(namespace, name))
        }
        _ => Err("write it as NAMESPACE/NAME".to_owned()),
    }
}

/// An IP address, or a host name as Kubernetes takes it.
fn address(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        (1..64).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if text.parse::<IpAddr>().is_ok() || text.len() < 254 && text.split('.').all(is_label) {
        return Ok(text.to_owned());
    }
    Err("write an IP address, or a host name in lower case".to_owned())
}

impl Cluster {
    fn status(&self) -> status::StatusOptions {
        let publish = match (&self.publish_service, self.publish_address.is_empty()) {
            (Some(service), _) => PublishedAddresses::Service(service.clone()),
            (None, false) => PublishedAddresses::Addresses(self.publish_address.clone()),
            (None, true) => PublishedAddresses::Nothing,
        };
        status::StatusOptions { publish, lease: self.lease.clone() }
    }
}

impl Run {
    /// Serves until told to stop.
    ///
    /// # Errors
    /// It could not start.
    pub(super) fn execute(self) -> anyhow::Result<ExitCode> {
        log(self.log_format, &self.log)?;
        let drain = Duration::from_secs(self.drain_timeout);
        let workers = self.workers.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
        let status = self.cluster.status();
        let source = match self.manifests {
            Some(dir) => Source::Directory(dir),
            None => Source::Cluster(Scope {
                namespaces: self.cluster.namespace.into_iter().collect(),
                publish_service: self.cluster.publish_service,
                silence: Duration::from_secs(self.cluster.api_timeout),
            }),
        };
        serve(
            Config {
                source,
                controller_name: self.cluster.controller_name,
                status,
                serve_controllers: self.serve_controller,
                bindings: Bindings { address: self.address, ports: self.listen.into_iter().collect() },
                settings: ProxySettings {
                    trusted_proxies: self.trusted_proxy,
                    clear_text_http2: self.h2c,
                    access_log: !self.no_access_log,
                    header_timeout: Duration::from_secs(self.header_timeout),
                },
                session_limits: websocket::Limits { sessions: self.max_sessions, close_rate: self.close_rate },
                workers,
                admin: self.admin,
            },
            drain,
        )
    }
}

/// Prepares the demo and serves it.
///
/// # Errors
/// It could not start.
pub(super) fn demo(demo: &demo::Demo) -> anyhow::Result<ExitCode> {
    let prepared = demo::prepare(demo)?;
    log(LogFormat::Text, DEFAULT_LOG)?;
    let config = Config {
        source: Source::Directory(prepared.manifests),
        controller_name: CONTROLLER.to_owned(),
        status: status::StatusOptions::default(),
        serve_controllers: Vec::new(),
        bindings: Bindings { address: None, ports: BTreeMap::from_iter(prepared.listen) },
        settings: ProxySettings::default(),
        session_limits: websocket::Limits::default(),
        workers: 1,
        admin: prepared.admin,
    };
    let code = serve(config, Duration::from_secs(5));
    drop(prepared.backends);
    code
}

fn log(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let colours = std::io::stderr().is_terminal();
    // The client logs each request that fails as an error; those who make the requests say it once, and what it means.
    let quiet = if filter.contains("kube_client") { "" } else { ",kube_client::client::builder=off" };
    let filter: Targets = format!("{filter}{quiet}").parse()?;
    let layer = fmt::layer().with_ansi(colours).with_writer(std::io::stderr);
    let layer = match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    registry().with(layer).with(filter).init();
    Ok(())
}

/// Takes as many file descriptors as the system gives: a session needs two, and shells start programs with 1,024.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        tracing::debug!(from = limit.current, to = limit.maximum, ?raised, "file descriptors");
    }
}

fn serve(config: Config, drain: Duration) -> anyhow::Result<ExitCode> {
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut app = app::start(config).await?;
        tracing::info!(admin = %app.admin, "started");
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = app.broken() => {
                app.drain(drain).await;
                anyhow::bail!("the controller broke down; what it said of it is in the log");
            }
        }
        tracing::info!(sessions = app.sessions.count(), limit = ?drain, "draining; a second signal ends it at once");
        let left = tokio::select! {
            left = app.drain(drain) => left,
            _ = terminate.recv() => usize::MAX,
            _ = interrupt.recv() => usize::MAX,
        };
        Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
