//! `steadygate probe`: one request, for images that have no other program to make it.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::model::StatusRange;
use crate::report::printable_lines;

/// How much of the answer's body is printed.
const SHOWN: usize = 4096;

/// Arguments of `steadygate probe`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Probe {
    /// What to ask for: http://HOST[:PORT]/PATH
    #[arg(value_name = "URL")]
    url: Uri,

    /// Statuses that count as success
    #[arg(long, value_name = "FIRST-LAST", default_value = "200-399")]
    status: StatusRange,

    /// Time in which the answer must have come
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
}

impl Probe {
    /// Asks once and prints what came.
    ///
    /// # Errors
    /// No answer came.
    pub(super) fn execute(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let limit = Duration::from_secs(self.timeout);
        let answer = runtime.block_on(async { tokio::time::timeout(limit, ask(&self.url)).await });
        let (status, body) =
            answer.with_context(|| format!("{}: no answer within {limit:?} (--timeout)", self.url))??;
        println!("{status} {}", printable_lines(String::from_utf8_lossy(&body).trim_end()));
        let well = (self.status.first..=self.status.last).contains(&status);
        if !well {
            super::say(&format!("steadygate: {} answered {status}, expected {} (--status)", self.url, self.status));
        }
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn ask(url: &Uri) -> anyhow::Result<(u16, Bytes)> {
    let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        anyhow::bail!("{url:?} is not an http:// URL");
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((host, port)).await.with_context(|| format!("can't connect to {host}:{port}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path).header(header::HOST, authority.as_str()).body(Empty::<Bytes>::new())?;
    let exchange = async {
        let response = sender.send_request(request).await.context("no answer")?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), SHOWN).collect().await;
        // A longer body is not what was asked about.
        Ok((status, body.map(http_body_util::Collected::to_bytes).unwrap_or_default()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}
