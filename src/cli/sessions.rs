//! `steadygate sessions`: the live sessions of a gateway that runs, and the word to some of them to close.

mod table;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::{Map, Value};

use super::client;
use crate::admin::sessions::{Listing, encode};

/// Arguments of `steadygate sessions`.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Sessions {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    list: List,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// List them, from the oldest; exit code 1 if there are none
    List(List),
    /// Ask them to close; exit code 1 if there are none
    Close(Close),
}

/// Arguments of `steadygate sessions list`.
#[derive(Debug, Clone, clap::Args)]
struct List {
    #[command(flatten)]
    filter: Filter,

    /// Print the answer of the admin port, which tells more
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    admin: Admin,
}

/// Arguments of `steadygate sessions close`.
#[derive(Debug, Clone, clap::Args)]
struct Close {
    #[command(flatten)]
    filter: Filter,

    /// Close every session
    #[arg(long)]
    all: bool,

    /// Status of the Close frame: 1000–1003, 1007–1014 or 3000–4999 [default: 1001]
    #[arg(long, value_name = "CODE")]
    code: Option<u16>,

    /// Reason in the Close frame, at most 123 bytes [default: closed by the operator]
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Time over which the closings are spread [default: as fast as the gateway's --close-rate lets them]
    #[arg(long, value_name = "SECONDS")]
    over: Option<u64>,

    #[command(flatten)]
    admin: Admin,
}

/// Which sessions: those that fit all of these.
#[derive(Debug, Clone, Default, clap::Args)]
struct Filter {
    /// Of the routes of an object: default/site, or "Ingress default/site"
    #[arg(long, value_name = "OBJECT")]
    object: Option<String>,

    /// Of one route, by its identity, as --json shows it
    #[arg(long, value_name = "ROUTE")]
    route: Option<String>,

    /// Of a pool, by its id, or of the pools of a Service (default/chat, default/chat:http)
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,

    /// At a pod, by NAMESPACE/NAME, or at an IP address
    #[arg(long, value_name = "POD")]
    pod: Option<String>,

    /// Of a client's IP address, or of those of a CIDR
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,

    /// This one
    #[arg(long, value_name = "ID")]
    id: Option<u64>,
}

/// Where the gateway is.
#[derive(Debug, Clone, clap::Args)]
struct Admin {
    /// Admin port of the gateway
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:9180",
        env = "STEADYGATE_ADMIN",
        value_parser = client::address
    )]
    admin: SocketAddr,
}

impl Filter {
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let texts = [
            ("object", &self.object),
            ("route", &self.route),
            ("pool", &self.pool),
            ("pod", &self.pod),
            ("client", &self.client),
        ];
        let texts = texts.into_iter().filter_map(|(name, value)| Some((name, Value::from(value.as_deref()?))));
        texts.chain(self.id.map(|id| ("id", Value::from(id)))).collect()
    }

    /// As a query of the admin port.
    fn path(&self) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), encode);
        let fields = self.fields();
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
        if pairs.is_empty() { "/sessions".to_owned() } else { format!("/sessions?{}", pairs.join("&")) }
    }
}

impl Sessions {
    /// Does what is asked.
    ///
    /// # Errors
    /// The gateway can't be asked, or refuses.
    pub(super) fn execute(self) -> anyhow::Result<ExitCode> {
        let matched = match self.command {
            None => self.list.execute()?,
            Some(Command::List(list)) => list.execute()?,
            Some(Command::Close(close)) => close.execute()?,
        };
        if !matched {
            super::say("steadygate: there is no such session");
        }
        Ok(if matched { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl List {
    fn execute(self) -> anyhow::Result<bool> {
        let answer = client::ask(self.admin.admin, &self.filter.path(), None)?;
        let listing = read(&answer)?;
        if self.json {
            super::show(&format!("{}\n", String::from_utf8_lossy(&answer).trim_end()))?;
        } else if !listing.sessions.is_empty() {
            super::show(&table::table(&listing.sessions))?;
        }
        Ok(!listing.sessions.is_empty())
    }
}

/// Reads what `/sessions` answers.
///
/// # Errors
/// It is something else.
pub(super) fn read(answer: &[u8]) -> anyhow::Result<Listing<'static>> {
    serde_json::from_slice(answer).context("this is no list of sessions: is that the admin port of this version?")
}

impl Close {
    fn body(self) -> anyhow::Result<String> {
        let mut body: Map<String, Value> =
            self.filter.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        match (body.is_empty(), self.all) {
            (true, false) => bail!("say which sessions: --object, --route, --pool, --pod, --client or --id; or --all"),
            (false, true) => bail!("--all is every session, and there is a filter: leave one of them out"),
            (true, true) => drop(body.insert("all".to_owned(), true.into())),
            (false, false) => {}
        }
        let code = self.code.map(Value::from);
        let (reason, over) = (self.reason.map(Value::from), self.over.map(Value::from));
        for (name, value) in [("code", code), ("reason", reason), ("over_seconds", over)] {
            body.extend(value.map(|value| (name.to_owned(), value)));
        }
        Ok(Value::from(body).to_string())
    }

    fn execute(self) -> anyhow::Result<bool> {
        let admin = self.admin.admin;
        let answer = client::ask(admin, "/sessions/close", Some(self.body()?))?;
        let answer: Value = serde_json::from_slice(&answer).context("the answer is not what was expected")?;
        let count = answer["closing"].as_u64().context("the answer is not what was expected")?;
        if count > 0 {
            super::show(&format!("{count} session{} asked to close\n", if count == 1 { "" } else { "s" }))?;
        }
        Ok(count > 0)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        sessions: Sessions,
    }

    fn parse(arguments: &[&str]) -> Sessions {
        Cli::try_parse_from([&["sessions"], arguments].concat()).expect("valid").sessions
    }

    fn body(arguments: &[&str]) -> anyhow::Result<String> {
        match parse(&[&["close"], arguments].concat()).command {
            Some(Command::Close(close)) => close.body(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_command_they_are_listed() {
        let filter = ["--object", "Ingress default/site", "--id", "7"];
        assert_eq!(parse(&filter).list.filter.path(), "/sessions?object=Ingress%20default/site&id=7");
        let Some(Command::List(list)) = parse(&["list", "--client", "fd00::/8"]).command else { panic!("a list") };
        assert_eq!(list.filter.path(), "/sessions?client=fd00::/8");
        assert_eq!(parse(&[]).list.filter.path(), "/sessions");
    }

    #[test]
    fn nothing_is_closed_that_is_not_named() {
        assert!(body(&[]).is_err() && body(&["--code", "1000"]).is_err());
        assert!(body(&["--all", "--id", "7"]).is_err());
        assert_eq!(body(&["--all"]).expect("named"), r#"{"all":true}"#);
        let text = body(&["--pod", "10.0.0.7", "--code", "4000", "--reason", "moved", "--over", "60"]).expect("named");
        let expected = serde_json::json!({"pod": "10.0.0.7", "code": 4000, "reason": "moved", "over_seconds": 60});
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), expected);
    }

    #[test]
    fn a_gateway_is_named_by_address_and_port() {
        for (text, expected) in [("localhost:1", Some("127.0.0.1:1")), ("[::]:9180", Some("[::]:9180")), ("9180", None)]
        {
            let address = client::address(text).ok().map(|address| address.to_string());
            assert_eq!(address.as_deref(), expected, "{text}");
        }
    }
}
