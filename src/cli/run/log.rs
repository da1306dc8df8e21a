//! Options of `steadygate run` about its log on standard error.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// The Kubernetes client would tell of each failed try, and not of what; the watches tell of their trouble themselves.
pub(super) const DEFAULT_LOG: &str = "info,kube_client=off";

/// Which records are written, and in which form.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct LogOptions {
    /// Form of the log on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,

    /// What is logged (tracing's filter syntax: info, debug, access=off,info, …)
    #[arg(long, value_name = "FILTER", default_value = DEFAULT_LOG, env = "STEADYGATE_LOG")]
    pub(super) log: String,

    /// No record of each request and session
    #[arg(long)]
    pub(super) no_access_log: bool,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}

/// Starts the log.
///
/// # Errors
/// The filter can't be read.
pub(super) fn start(format: LogFormat, filter: &str) -> anyhow::Result<()> {
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
