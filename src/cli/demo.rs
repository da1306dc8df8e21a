//! `steadygate demo`: a directory of manifests to play with, backends for it, and what to open and edit.
//!
//! Prepares and explains; serving is the `run` command's, with what [`prepare`] returns.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use super::self_signed::SelfSigned;

/// The manifests that are written: name and text.
const MANIFESTS: [(&str, &str); 3] = [
    ("backends.yaml", include_str!("../../manifests/demo/backends.yaml")),
    ("ingress.yaml", include_str!("../../manifests/demo/ingress.yaml")),
    ("gateway.yaml", include_str!("../../manifests/demo/gateway.yaml")),
];

/// The Secret's file. It holds a private key, so it is made on the spot and no one else may read it.
const SECRET: &str = "tls-secret.yaml";

/// Arguments of `steadygate demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct Demo {
    /// Where the manifests go; files that are there already are kept
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub dir: PathBuf,

    /// A program and its arguments, started as a backend and stopped with the demo (no shell; repeatable). The
    /// manifests expect the chat at 127.0.0.1:9101 and the page at 127.0.0.1:9102
    #[arg(long = "backend", value_name = "COMMAND")]
    pub backends: Vec<String>,

    /// Where HTTP (frontend port 80) is served
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,

    /// Where HTTPS (frontend port 443) is served
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443")]
    pub https: SocketAddr,

    /// Where the admin port is
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9180")]
    pub admin: SocketAddr,
}

/// What the demo needs from `run`. The backends run for as long as this lives.
#[derive(Debug)]
pub struct Prepared {
    /// The directory to serve.
    pub manifests: PathBuf,
    /// Frontend ports and where each is served.
    pub listen: Vec<(u16, SocketAddr)>,
    /// Where the admin port is.
    pub admin: SocketAddr,
    /// Held for their end: dropping them stops them.
    pub backends: Backends,
}

/// Writes what is missing of the demo's directory, starts the backends, and prints what to open and edit.
///
/// # Errors
///
/// When a file can't be written or a backend can't be started; the message names it.
pub fn prepare(demo: &Demo) -> anyhow::Result<Prepared> {
    fs::create_dir_all(&demo.dir).with_context(|| format!("cannot make the directory {}", demo.dir.display()))?;
    for (name, text) in MANIFESTS {
        write_missing(&demo.dir.join(name), 0o644, || Ok(text.to_owned()))?;
    }
    write_missing(&demo.dir.join(SECRET), 0o600, tls_secret)?;
    let mut backends = Backends::default();
    for command in &demo.backends {
        backends.start(command)?;
    }
    println!("{}", guide(demo));
    Ok(Prepared {
        manifests: demo.dir.clone(),
        listen: vec![(80, demo.http), (443, demo.https)],
        admin: demo.admin,
        backends,
    })
}

/// Writes a file unless there is one, and says which it was.
fn write_missing(path: &Path, mode: u32, text: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<()> {
    if path.exists() {
        println!("kept     {}", path.display());
        return Ok(());
    }
    let text = text()?;
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote    {}", path.display());
    Ok(())
}

/// A Secret with a fresh self-signed certificate for this machine's own names.
fn tls_secret() -> anyhow::Result<String> {
    let SelfSigned { certificate, key } = SelfSigned::new(&["chat.localhost".to_owned()])?;
    Ok(format!(
        "# A self-signed certificate for the demo, good for a year. Delete the file, and the next start makes another.\n\
         apiVersion: v1\nkind: Secret\nmetadata:\n  name: demo-tls\n  namespace: default\ntype: kubernetes.io/tls\n\
         stringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
        indented(&certificate),
        indented(&key),
    ))
}

fn indented(pem: &str) -> String {
    pem.lines().map(|line| format!("    {}\n", line.trim_end())).collect()
}

/// Backend programs; stopped when dropped.
#[derive(Debug, Default)]
pub struct Backends(Vec<Child>);

impl Backends {
    /// Starts a program; its arguments are separated by white space.
    fn start(&mut self, command: &str) -> anyhow::Result<()> {
        let mut words = command.split_whitespace();
        let Some(program) = words.next() else { bail!("--backend names no program") };
        let child = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            // In a group of its own: Ctrl-C is for the gateway, which drains before its backends stop.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start the backend {program:?}"))?;
        println!("started  {command} (process {})", child.id());
        self.0.push(child);
        Ok(())
    }
}

impl Drop for Backends {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // An error says that it ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn guide(demo: &Demo) -> String {
    let Demo { dir, http, https, admin, .. } = demo;
    let (http, https, dir) = (http.port(), https.port(), dir.display());
    format!(
        "
Open, in two tabs:  http://localhost:{http}         a chat over WebSocket (ws)
                    https://localhost:{https}        the same over TLS (wss); accept the self-signed certificate
              and:  http://localhost:{http}/hello   a page that shows the request that reached its backend
                    http://chat.localhost:{http}    the chat again, through an ApplicationGateway

Edit, and watch the chat's line \"connected since … · 0 reconnects\" stay as it is:
  {dir}/ingress.yaml    change `path: /hello` to `path: /greetings`: served at once, /hello goes to the chat's server
  {dir}/gateway.yaml    point ruleName1 at the pool `hello`: https://chat.localhost:{https} shows the other page
  {dir}/backends.yaml   set `ready: false` for hello: it answers 503 and says why
  {dir}/ingress.yaml    delete a colon: the mistake is named, the last good version goes on serving

Look:  http://{admin}/readyz  /metrics  /debug/config
Stop:  Ctrl-C (each chat gets a WebSocket Close, 1001)
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(dir: &Path) -> Demo {
        Demo {
            dir: dir.to_owned(),
            backends: Vec::new(),
            http: SocketAddr::from(([127, 0, 0, 1], 8080)),
            https: SocketAddr::from(([127, 0, 0, 1], 8443)),
            admin: SocketAddr::from(([127, 0, 0, 1], 9180)),
        }
    }

    #[test]
    fn files_are_written_once_and_then_kept() {
        let dir = tempfile::tempdir().unwrap();
        prepare(&demo(dir.path())).unwrap();
        let secret = fs::read_to_string(dir.path().join(SECRET)).unwrap();
        fs::write(dir.path().join("ingress.yaml"), "edited").unwrap();
        prepare(&demo(dir.path())).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("ingress.yaml")).unwrap(), "edited");
        assert_eq!(fs::read_to_string(dir.path().join(SECRET)).unwrap(), secret);
    }

    #[test]
    fn only_the_owner_reads_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        prepare(&demo(dir.path())).unwrap();
        let mode = fs::metadata(dir.path().join(SECRET)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn backends_stop_when_the_demo_does() {
        let dir = tempfile::tempdir().unwrap();
        let prepared = prepare(&Demo { backends: vec!["sleep 600".to_owned()], ..demo(dir.path()) }).unwrap();
        let process = format!("/proc/{}", prepared.backends.0[0].id());
        assert!(Path::new(&process).exists());
        drop(prepared);
        assert!(!Path::new(&process).exists());
    }

    #[test]
    fn a_backend_that_cannot_start_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = prepare(&Demo { backends: vec!["/no/such/program".to_owned()], ..demo(dir.path()) }).unwrap_err();
        assert!(format!("{error:#}").contains("/no/such/program"), "{error:#}");
    }
}
