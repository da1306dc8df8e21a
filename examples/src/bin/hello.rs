//! A plain HTTP page that shows what reached it: a second backend for the demo.
//!
//! `hello --listen 127.0.0.1:9102 --name hello`

use std::fmt::Write;
use std::net::SocketAddr;

use clap::Parser;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A page that shows the request it got.
#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9102")]
    listen: SocketAddr,
    /// What this server calls itself.
    #[arg(long, default_value = "hello")]
    name: String,
    /// Print a line of JSON for each request that was read whole. Bytes are Latin-1.
    #[arg(long)]
    print_requests: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.listen).await?;
    if args.print_requests {
        println!("{}", listener.local_addr()?.port());
    } else {
        println!("{}: http://{}", args.name, listener.local_addr()?);
    }
    loop {
        let (stream, peer) = listener.accept().await?;
        let name = args.name.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let page = page(&name, peer, &request);
                async move {
                    if args.print_requests {
                        print_request(request).await?;
                    }
                    Ok::<_, hyper::Error>(Response::new(page))
                }
            });
            // A connection that breaks is its client's business.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The request as text, its header fields in order of name.
fn page(name: &str, peer: SocketAddr, request: &Request<Incoming>) -> String {
    let mut lines: Vec<String> = request
        .headers()
        .iter()
        .map(|(field, value)| format!("{field}: {}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort();
    let mut page = format!("Hello from {name}. This request came from {peer}:\n\n");
    writeln!(page, "{} {} {:?}", request.method(), request.uri(), request.version()).expect("a String takes all");
    page.extend(lines);
    page
}

/// Prints the request once its body has ended.
async fn print_request(request: Request<Incoming>) -> hyper::Result<()> {
    let (head, body) = request.into_parts();
    let latin1 = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
    let body = latin1(&body.collect().await?.to_bytes());
    let client = head.headers.get("x-forwarded-for").map(|value| latin1(value.as_bytes()));
    let target = latin1(head.uri.to_string().as_bytes());
    let told = serde_json::json!({"client": client, "method": head.method.as_str(), "target": target, "body": body});
    println!("{told}");
    Ok(())
}
