//! The command line: arguments and exit codes, one file a command.

pub mod check;
mod client;
mod convert;
pub mod demo;
mod diff;
mod explain;
mod objects;
mod probe;
mod run;
mod self_signed;
mod sessions;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use self::objects::ObjectOptions;
use crate::report::printable_lines;
use crate::source::Input;
use crate::translate::translate;

/// A Kubernetes ingress controller and application gateway whose configuration changes never cut a WebSocket session.
#[derive(Debug, Parser)]
#[command(name = "steadygate", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a cluster, or a directory of Kubernetes manifests, and follow every change
    Run(Box<run::Run>),
    /// List every problem in a directory of manifests
    Check(Check),
    /// Show which listener, host, rule, pool and members a request would get, and why not the others
    Explain(explain::Explain),
    /// List what a change of manifests would alter, and which live sessions it would close
    Diff(diff::Diff),
    /// Make manifests of an Azure Application Gateway: a template, an export or a fragment of one
    Convert(convert::Convert),
    /// Print the custom resource definitions
    Crds,
    /// Send one request to a URL, and check the status of the answer
    Probe(probe::Probe),
    /// List the live sessions of a running gateway, or ask some of them to close
    Sessions(Box<sessions::Sessions>),
    /// Serve two backends on this machine, to see edits take effect without a session being cut
    Demo(demo::Demo),
}

/// Runs the command that the arguments name. Exit codes: 0 done; 1 something is wrong with what was given; 2 it could
/// not be done.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(run) => run.execute(),
        Command::Check(check) => check.execute(),
        Command::Explain(explain) => explain.execute(),
        Command::Diff(diff) => diff.execute(),
        Command::Convert(convert) => convert.execute(),
        Command::Crds => crds(),
        Command::Probe(probe) => probe.execute(),
        Command::Sessions(sessions) => sessions.execute(),
        Command::Demo(demo) => run::demo(&demo),
    };
    result.unwrap_or_else(|error| {
        say(&format!("steadygate: {error:#}"));
        ExitCode::from(2)
    })
}

fn crds() -> anyhow::Result<ExitCode> {
    print!("{}", crate::api::application_gateway::crd_yaml());
    Ok(ExitCode::SUCCESS)
}

/// What a command was asked for, on standard output. Whoever has read enough of it may close it.
///
/// # Errors
/// It can't be written.
fn show(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(printable_lines(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("can't write what was found")
        }
        _ => Ok(()),
    }
}

/// A line for the one who typed the command.
#[allow(clippy::print_stderr, reason = "the one place that speaks to the terminal's user")]
fn say(line: &str) {
    eprintln!("{}", printable_lines(line));
}

/// Arguments of `steadygate check`.
#[derive(Debug, Clone, clap::Args)]
struct Check {
    /// Directory of manifests
    #[arg(value_name = "DIR")]
    dir: std::path::PathBuf,

    #[command(flatten)]
    objects: ObjectOptions,
}

impl Check {
    fn execute(self) -> anyhow::Result<ExitCode> {
        let options = self.objects.of_directory();
        let reports = |input: &Input| translate(&input.snapshot, &options).reports.into_iter().collect();
        let code = check::run(&self.dir, reports, &mut std::io::stdout(), &mut std::io::stderr());
        Ok(ExitCode::from(code))
    }
}
