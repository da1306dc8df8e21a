//! `steadygate diff`: what a change of manifests would change, and which live sessions it would close.

mod closed_sessions;
mod compare;
mod print;
mod view;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use serde::Serialize;

use super::objects::ObjectOptions;
use super::{client, sessions};
use crate::model::{Address, Kind, Model};
use crate::report::{Report, Severity};
use crate::source::{Input, Snapshot, directory};
use crate::translate::{LastGood, Options, translate};
use closed_sessions::{ClosedRoute, ClosedSessions, CurrentState, NextTable};
use compare::Differences;
use view::ConfigView;

/// Arguments of `steadygate diff`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Diff {
    /// Two directories of manifests; or one, with --admin: everything that the gateway is to serve after the change
    #[arg(long, num_args = 1..=2, required = true, value_names = ["OLD", "NEW"])]
    manifests: Vec<PathBuf>,

    /// Admin port of a gateway that runs: its sessions are counted, and it is what is compared with where OLD is left out
    #[arg(long, value_name = "ADDR:PORT", value_parser = client::address)]
    admin: Option<SocketAddr>,

    /// Beside a gateway that runs, they are its own, unless an IngressClass's controller is named
    #[command(flatten)]
    objects: ObjectOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The result of a comparison.
#[derive(Debug, Serialize)]
struct DiffReport {
    changes: Differences,
    /// The errors of the new objects.
    errors: Vec<Report>,
    sessions: SessionForecast,
}

/// Which sessions the change would close.
#[derive(Debug, Serialize)]
struct SessionForecast {
    /// Why the gateway may close others. Empty: the forecast is certain.
    doubts: Vec<String>,
    #[serde(flatten)]
    effects: SessionEffects,
}

/// The sessions that would be closed.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum SessionEffects {
    /// The live sessions of a running gateway.
    Counted(ClosedSessions),
    /// Without a running gateway: the routes whose sessions would be closed, if they have any.
    Routes {
        #[serde(rename = "places")]
        routes: Vec<ClosedRoute>,
    },
}

impl Diff {
    /// Prints the differences. The exit code is 1 if there are any.
    ///
    /// # Errors
    /// A directory can't be read, or the gateway does not answer.
    pub(super) fn execute(self) -> anyhow::Result<ExitCode> {
        let found = self.find()?;
        super::show(&if self.json { serde_json::to_string_pretty(&found)? + "\n" } else { print::text(&found) })?;
        Ok(if found.changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn find(&self) -> anyhow::Result<DiffReport> {
        let running = self.admin.map(|admin| client::ask(admin, "/debug/config", None)).transpose()?;
        let running = running.map(|config| ConfigView::read(&config)).transpose()?;
        let is_named = !self.objects.serve_controller.is_empty();
        let options = running.as_ref().filter(|_| !is_named).and_then(ConfigView::options);
        let options = options.unwrap_or_else(|| self.objects.of_directory());
        let names = running.as_ref().map(closed_sessions::names).unwrap_or_default();
        let mut last_good = LastGood::default();
        let mut doubts = Vec::new();

        let (old, old_view, standings, input) = match (&self.manifests[..], &running) {
            ([old, new], _) => {
                let (old, new) = directory::read_both(old, new)?;
                let (model, _) = served(&old, &options, &mut last_good);
                let standings = closed_sessions::standings(&model, &names);
                let view = ConfigView::of(&model)?;
                (Some(model), view, standings, new)
            }
            ([new], Some(running)) => {
                (None, running.clone(), closed_sessions::standings_of(running), directory::read(new)?)
            }
            _ => bail!("one directory alone is compared with nothing: give --manifests OLD NEW, or --admin ADDR:PORT"),
        };
        let (new, reports) = served(&input, &options, &mut last_good);
        let errors: Vec<Report> = reports.into_iter().filter(|report| report.severity == Severity::Error).collect();
        if old.is_none()
            && (!input.reports.is_empty() || errors.iter().any(|report| report.object.kind == Kind::Secret))
        {
            doubts.push(
                "a gateway that runs goes on serving the last good version of a file or Secret that is broken"
                    .to_owned(),
            );
        }
        let new_view = ConfigView::of(&new)?;
        let publishes = old_view.publishes(&new_view);
        if publishes.is_none() {
            doubts.push("the gateway does not tell whether its certificates are the same".to_owned());
        }
        let before = CurrentState { standings, publishes: publishes.unwrap_or(true) };
        let after = NextTable::of(&new, &names)?;
        let effects = match (self.admin, &old) {
            (Some(admin), _) => {
                let listing = sessions::read(&client::ask(admin, "/sessions", None)?)?;
                SessionEffects::Counted(after.closes(&before, &listing.sessions))
            }
            (None, old) => {
                let old = old.as_ref().cloned().unwrap_or_default();
                if has_names(&old) {
                    doubts.push(
                        "backends that are DNS names are left out: their addresses are not known here".to_owned(),
                    );
                }
                SessionEffects::Routes { routes: after.closed_routes(&before, &old).into_iter().collect() }
            }
        };
        Ok(DiffReport {
            changes: Differences::between(&old_view, &new_view),
            errors,
            sessions: SessionForecast { doubts, effects },
        })
    }
}

/// The model that is served for an input and all reports, as `controller` makes them.
fn served(input: &Input, options: &Options, last_good: &mut LastGood) -> (Model, Vec<Report>) {
    let mut reports = input.reports.clone();
    let mut snapshot = Snapshot::clone(&input.snapshot);
    reports.extend(last_good.keep(&mut snapshot));
    let translation = translate(&snapshot, options);
    reports.extend(translation.reports);
    reports.sort();
    reports.dedup();
    (translation.model, reports)
}

fn has_names(model: &Model) -> bool {
    let mut endpoints = model.pools.values().flat_map(|pool| &pool.endpoints);
    endpoints.any(|endpoint| matches!(endpoint.address, Address::Name(..)))
}

#[cfg(test)]
mod tests;
