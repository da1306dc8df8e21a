//! `steadygate run`, and what `demo` makes of it.

pub(super) mod affinity;
pub(super) mod clients;
mod cluster;
mod limits;
mod log;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use self::affinity::AffinityOptions;
use self::clients::ClientOptions;
use self::cluster::ClusterOptions;
use self::limits::LimitOptions;
use self::log::{DEFAULT_LOG, LogFormat, LogOptions};
use super::demo;
use super::objects::ObjectOptions;
use crate::app::{self, Config, Source};
use crate::proxy::{Bindings, ProxySettings};
use crate::translate::{CONTROLLER, Tenancy};
use crate::websocket;

/// Arguments of `steadygate run`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Run {
    /// Serve this directory of manifests (*.yaml, *.yml and *.json, in subdirectories too), and not a cluster
    #[arg(long, value_name = "DIR")]
    manifests: Option<PathBuf>,

    #[command(flatten)]
    cluster: ClusterOptions,

    #[command(flatten)]
    clients: ClientOptions,

    /// Where /livez, /readyz, /metrics, /debug/config and /sessions are
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9180", env = "STEADYGATE_ADMIN")]
    admin: SocketAddr,

    #[command(flatten)]
    log: LogOptions,

    /// Time for requests to finish and sessions to close (1001) after SIGTERM
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain_timeout: u64,

    #[command(flatten)]
    objects: ObjectOptions,

    #[command(flatten)]
    affinity: AffinityOptions,

    #[command(flatten)]
    limits: LimitOptions,

    /// Worker threads [default: one a core]
    #[arg(long, value_name = "COUNT")]
    workers: Option<usize>,
}

impl Run {
    /// Serves until told to stop.
    ///
    /// # Errors
    /// It could not start.
    pub(super) fn execute(self) -> anyhow::Result<ExitCode> {
        log::start(self.log.log_format, &self.log.log)?;
        let descriptors = raise_descriptor_limit();
        let drain = Duration::from_secs(self.drain_timeout);
        let workers = self.workers.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
        let config = Config {
            status: self.cluster.status(),
            bindings: self.clients.bindings(),
            settings: ProxySettings {
                connections: self.limits.connections(descriptors),
                max_unanswered_bytes: self.limits.max_unanswered_bytes,
                ..self.clients.settings(!self.log.no_access_log)
            },
            affinity_key: affinity::read_key(self.affinity.affinity_key_file.as_deref())?,
            session_limits: self.limits.sessions(),
            source: match self.manifests {
                Some(dir) => Source::Directory(dir),
                None => Source::Cluster(self.cluster.scope()),
            },
            controller_name: self.cluster.controller_name,
            serve_controllers: self.objects.serve_controller,
            tenancy: self.objects.tenancy,
            default_certificate: self.objects.default_certificate,
            external_names: !self.cluster.no_external_names,
            pod_ips: self.cluster.pod_ip,
            workers,
            admin: self.admin,
        };
        serve(config, drain)
    }
}

/// Prepares the demo and serves it.
///
/// # Errors
/// It could not start.
pub(super) fn demo(demo: &demo::Demo) -> anyhow::Result<ExitCode> {
    let prepared = demo::prepare(demo)?;
    let bindings = Bindings { address: None, ports: BTreeMap::from_iter(prepared.listen) };
    let code = local(prepared.manifests, bindings, prepared.admin);
    drop(prepared.backends);
    code
}

/// Serves a directory to somebody who tries something on this machine.
///
/// # Errors
/// It could not start.
pub(super) fn local(manifests: PathBuf, bindings: Bindings, admin: SocketAddr) -> anyhow::Result<ExitCode> {
    log::start(LogFormat::Text, DEFAULT_LOG)?;
    raise_descriptor_limit();
    let config = Config {
        source: Source::Directory(manifests),
        controller_name: CONTROLLER.to_owned(),
        status: None,
        serve_controllers: Vec::new(),
        tenancy: Tenancy::default(),
        default_certificate: None,
        external_names: true,
        pod_ips: Vec::new(),
        bindings,
        settings: ProxySettings::default(),
        affinity_key: None,
        session_limits: websocket::Limits::default(),
        workers: 1,
        admin,
    };
    serve(config, Duration::from_secs(5))
}

/// Takes as many file descriptors as the system gives, and returns how many: a session needs two, and shells start programs with
/// 1,024.
fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        tracing::debug!(from = limit.current, to = limit.maximum, ?raised, "file descriptors");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn serve(config: Config, drain: Duration) -> anyhow::Result<ExitCode> {
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::source::Key;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        run: Run,
    }

    fn parse(arguments: &[&str]) -> Result<Run, String> {
        let parsed = Arguments::try_parse_from(["run"].iter().chain(arguments));
        parsed.map(|arguments| arguments.run).map_err(|error| error.to_string())
    }

    #[test]
    fn beside_another_controller_no_status_is_written() {
        let status = |arguments: &[&str]| parse(arguments).map(|run| run.cluster.status());
        assert_eq!(status(&["--no-status"]), Ok(None));
        assert!(status(&[]).is_ok_and(|status| status.is_some()));
        for contradiction in ["--publish-address=192.0.2.1", "--publish-service=a/b", "--lease=a/b", "--manifests=."] {
            assert!(status(&["--no-status", contradiction]).is_err(), "{contradiction}");
        }
    }

    #[test]
    fn what_objects_mean_is_an_option_of_each_command_alike() {
        let objects = parse(&["--tenancy=strict", "--default-certificate=edge/wildcard"]).expect("parsed").objects;
        let options = objects.of_directory();
        assert_eq!(options.tenancy, Tenancy::Strict);
        assert_eq!(options.default_certificate, Some(Key::new("edge", "wildcard")));
        assert_eq!(parse(&[]).expect("parsed").objects.tenancy, Tenancy::Shared);
        for (wrong, says) in [("--tenancy=lax", "shared or strict"), ("--default-certificate=edge", "NAMESPACE/NAME")] {
            assert!(parse(&[wrong]).expect_err("refused").contains(says), "{wrong}");
        }
    }
}
