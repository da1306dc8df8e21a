//! The benchmarks' client and backend.
//!
//! ```text
//! load serve --listen ADDR [--name NAME]
//! load drive [--sources COUNT] [--ca FILE]
//! ```
//!
//! `serve` answers requests and echoes WebSocket messages. `drive` reads commands ([`command::Command`]) on standard
//! input, one JSON object a line, and answers each with one line. Either is one thread. Nothing but loopback is ever asked.

mod attempts;
mod command;
mod connect;
mod dial;
mod drive;
mod echo;
mod frame;
mod group;
mod http1;
mod http2;
mod requests;
mod run;
mod schedule;
mod serve;
mod session;
mod stream;
mod tally;
#[cfg(test)]
mod tests;
mod tls;

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::{Builder, LocalOptions};

const USAGE: &str = "usage: load serve --listen ADDR [--name NAME] | load drive [--sources COUNT] [--ca FILE]";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().context(USAGE)?;
    let (mut listen, mut name, mut sources, mut ca) = (None, String::from("backend"), 8, None);
    while let Some(option) = arguments.next() {
        let value = arguments.next().context(USAGE)?;
        match option.as_str() {
            "--listen" => listen = Some(value.parse().context("--listen ADDR:PORT")?),
            "--name" => name = value,
            "--sources" => sources = value.parse().context("--sources COUNT")?,
            "--ca" => ca = Some(value),
            _ => bail!(USAGE),
        }
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    match command.as_str() {
        "serve" => runtime.block_on(serve::run(listen.context(USAGE)?, name)),
        "drive" => runtime.block_on(drive::run(dial::Dialer::new(sources, ca))),
        _ => bail!(USAGE),
    }
}
