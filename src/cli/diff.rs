//! `steadygate diff`: what a change of manifests would change, and which live sessions it would close.

mod closes;
mod compare;
mod print;
mod view;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use serde::Serialize;

use super::{client, sessions};
use crate::model::{Address, Kind, Model};
use crate::report::{Report, Severity};
use crate::source::{Input, Snapshot, directory};
use crate::translate::{LastGood, Options, translate};
use closes::{After, Before, ClosedRoute, Closes};
use compare::Changes;
use view::View;

/// Arguments of `steadygate diff`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Diff {
    /// Two directories of manifests; or one, with --admin: everything that the gateway is to serve after the change
    #[arg(long, num_args = 1..=2, required = true, value_names = ["OLD", "NEW"])]
    manifests: Vec<PathBuf>,

    /// Admin port of a gateway that runs: its sessions are counted, and it is what is compared with where OLD is left out
    #[arg(long, value_name = "ADDR:PORT", value_parser = client::address)]
    admin: Option<SocketAddr>,

    /// Serve IngressClasses of this controller too (repeatable) [default: as the gateway that runs]
    #[arg(long, value_name = "NAME")]
    serve_controller: Vec<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is found.
#[derive(Debug, Serialize)]
struct Found {
    changes: Changes,
    /// What is wrong with the new objects.
    errors: Vec<Report>,
    sessions: Sessions,
}

/// What would become of sessions.
#[derive(Debug, Serialize)]
struct Sessions {
    /// Why it may come otherwise; empty: it is certain.
    doubts: Vec<String>,
    #[serde(flatten)]
    told: Told,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Told {
    /// Of a gateway that runs.
    Counted(Closes),
    /// Without one: whose sessions would be closed, if there are any.
    Places { places: Vec<ClosedRoute> },
}

impl Diff {
    /// Compares. Exit code 1: something differs.
    ///
    /// # Errors
    /// A directory can't be read, or the gateway can't be asked.
    pub(super) fn execute(self) -> anyhow::Result<ExitCode> {
        let found = self.find()?;
        super::show(&if self.json { serde_json::to_string_pretty(&found)? + "\n" } else { print::text(&found) })?;
        Ok(if found.changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn find(&self) -> anyhow::Result<Found> {
        let running = self.admin.map(|admin| client::ask(admin, "/debug/config", None)).transpose()?;
        let running = running.map(|config| View::read(&config)).transpose()?;
        let options = running.as_ref().filter(|_| self.serve_controller.is_empty()).and_then(View::options);
        let options = options.unwrap_or_else(|| Options {
            serve_controllers: self.serve_controller.clone(),
            everything_without_class: true,
            ..Options::default()
        });
        let names = running.as_ref().map(closes::names).unwrap_or_default();
        let mut last_good = LastGood::default();
        let mut doubts = Vec::new();

        let (old, old_view, standings, input) = match (&self.manifests[..], &running) {
            ([old, new], _) => {
                let (old, new) = directory::read_both(old, new)?;
                let (model, _) = served(&old, &options, &mut last_good);
                let standings = closes::standings(&model, &names);
                let view = View::of(&model)?;
                (Some(model), view, standings, new)
            }
            ([new], Some(running)) => (None, running.clone(), closes::standings_of(running), directory::read(new)?),
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
        let new_view = View::of(&new)?;
        let publishes = old_view.publishes(&new_view);
        if publishes.is_none() {
            doubts.push("the gateway does not tell whether its certificates are the same".to_owned());
        }
        let before = Before { standings, publishes: publishes.unwrap_or(true) };
        let after = After::of(&new, &names)?;
        let told = match (self.admin, &old) {
            (Some(admin), _) => {
                let listing = sessions::read(&client::ask(admin, "/sessions", None)?)?;
                Told::Counted(after.closes(&before, &listing.sessions))
            }
            (None, old) => {
                let old = old.as_ref().cloned().unwrap_or_default();
                if has_names(&old) {
                    doubts.push(
                        "backends that are DNS names are left out: their addresses are not known here".to_owned(),
                    );
                }
                Told::Places { places: after.closed_routes(&before, &old).into_iter().collect() }
            }
        };
        Ok(Found { changes: Changes::between(&old_view, &new_view), errors, sessions: Sessions { doubts, told } })
    }
}

/// What is served of an input, and everything that is wrong with it, as in `controller`.
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
