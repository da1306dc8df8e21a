//! Options of `steadygate run` about its log on standard error.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::report::printable;

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
    let layer =
        fmt::layer().with_ansi(colours).with_writer(move || PrintableRecords { out: std::io::stderr(), colours });
    let layer = match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    registry().with(layer).with(filter).init();
    Ok(())
}

/// Writes records of which nothing is taken for more than one, whatever is quoted in them.
struct PrintableRecords<W> {
    out: W,
    /// Whether the records have colours.
    colours: bool,
}

impl<W: Write> Write for PrintableRecords<W> {
    /// Writes a record, which comes whole.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(record);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        let Cow::Owned(mut out) = printable(line) else {
            self.out.write_all(record)?;
            return Ok(record.len());
        };
        if self.colours {
            out = with_colours(&out);
        }
        out.push_str(end);
        self.out.write_all(out.as_bytes())?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A line in which the escape sequences of colours stand again: of nothing but digits, and so harmless. The formatter has already
/// escaped those of others.
fn with_colours(line: &str) -> String {
    let mut parts = line.split("\\u001b[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|letter: char| !letter.is_ascii_digit() && letter != ';').unwrap_or(part.len());
        out.push_str(if part[digits..].starts_with('m') { "\u{1b}[" } else { "\\u001b[" });
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_of_printable_text() {
        let written = |record: &str, colours| {
            let mut writer = PrintableRecords { out: Vec::new(), colours };
            writer.write_all(record.as_bytes()).expect("a vector takes it");
            String::from_utf8(writer.out).expect("text")
        };
        let record = "\u{1b}[32m INFO\u{1b}[0m a\nb\u{9b}31m\u{202e}\u{1b}[2J\u{1b}]0;x\u{7}\n";
        let rest = " a\\nb\\u009b31m\\u202e\\u001b[2J\\u001b]0;x\\u0007\n";
        assert_eq!(written(record, true), format!("\u{1b}[32m INFO\u{1b}[0m{rest}"));
        assert_eq!(written(record, false), format!("\\u001b[32m INFO\\u001b[0m{rest}"));
        assert_eq!(written("{\"a\":\"café\"}\n", false), "{\"a\":\"café\"}\n");
    }
}
