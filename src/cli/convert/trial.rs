//! A trial: what was converted, served on this machine from a directory of its own.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::run;
use crate::cli::self_signed::SelfSigned;
use crate::convert::Yaml;
use crate::proxy::Bindings;

/// What is added to a frontend port where it is served: 80 is at 8080, and 443 at 8443.
const PORT_OFFSET: u16 = 8000;

/// Serves the objects until told to stop. Secrets that have to be filled in get a self-signed certificate.
///
/// # Errors
/// A gateway has something to fill in, or it could not start.
pub(super) fn serve(objects: &[Yaml], listen: &[(u16, SocketAddr)], admin: SocketAddr) -> anyhow::Result<ExitCode> {
    let is_gateway = |object: &&Yaml| object.field("kind").and_then(Yaml::as_text) == Some("ApplicationGateway");
    for gateway in objects.iter().filter(is_gateway) {
        if gateway.is_open() {
            let name = gateway.field("metadata").and_then(|metadata| metadata.field("name")?.as_text());
            bail!("{} has values to fill in, so it can't be tried yet", name.unwrap_or("the gateway"));
        }
    }
    let hosts: Vec<String> = objects.iter().filter(is_gateway).flat_map(hosts).collect();
    let directory = Directory::new()?;
    for (index, object) in objects.iter().enumerate() {
        let object = filled(object, &hosts)?;
        directory.write(&format!("{index:02}.yaml"), &object.document())?;
    }
    let ports = objects.iter().filter(is_gateway).flat_map(ports).map(|port| (port, local(port)));
    let bindings = Bindings {
        address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ports: ports.chain(listen.iter().copied()).collect(),
    };
    println!(
        "Served from {}, which may be edited; Ctrl-C ends it and removes the directory.",
        directory.path.display()
    );
    for (port, address) in &bindings.ports {
        println!("  frontend port {port}: {address}");
    }
    run::local(directory.path.clone(), bindings, admin)
}

/// The address at which a frontend port is served.
fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port.checked_add(PORT_OFFSET).unwrap_or(port)))
}

fn ports(gateway: &Yaml) -> Vec<u16> {
    let ports = gateway.field("spec").and_then(|spec| spec.field("frontendPorts")).map_or(&[][..], Yaml::items);
    let number = |port: &Yaml| if let Some(Yaml::Number(number)) = port.field("port") { number.as_u64() } else { None };
    ports.iter().filter_map(|port| number(port).and_then(|port| u16::try_from(port).ok())).collect()
}

/// The hosts of listeners that a certificate may name.
fn hosts(gateway: &Yaml) -> Vec<String> {
    let listeners = gateway.field("spec").and_then(|spec| spec.field("httpListeners")).map_or(&[][..], Yaml::items);
    let named = listeners.iter().flat_map(|listener| {
        let several = listener.field("hostNames").map_or(&[][..], Yaml::items);
        listener.field("hostName").into_iter().chain(several).filter_map(Yaml::as_text)
    });
    let is_name = |host: &&str| {
        let name = host.strip_prefix("*.").unwrap_or(host);
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
    };
    named.filter(is_name).map(str::to_owned).collect()
}

/// An object with a self-signed certificate where it is a Secret to fill in.
fn filled(object: &Yaml, hosts: &[String]) -> anyhow::Result<Yaml> {
    let (Yaml::Map(fields), true) = (object, object.is_open()) else { return Ok(object.clone()) };
    if object.field("kind").and_then(Yaml::as_text) != Some("Secret") {
        return Ok(object.clone());
    }
    let SelfSigned { certificate, key } = SelfSigned::new(hosts)?;
    let mut fields = fields.clone();
    for field in fields.iter_mut().filter(|field| field.name == "stringData") {
        field.value = Yaml::map([("tls.crt", Yaml::text(&certificate)), ("tls.key", Yaml::text(&key))]);
    }
    Ok(Yaml::Map(fields))
}

/// A directory that its owner alone can read, removed in the end.
struct Directory {
    path: PathBuf,
}

impl Directory {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("steadygate-{:08x}", fastrand::u32(..)));
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("can't make the directory {}", path.display()))?;
        Ok(Self { path })
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path.join(name);
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("can't write {}", path.display()))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes the directory of a trial. Where that fails, the system removes it in time.
fn remove(path: &Path) {
    let _left_behind = fs::remove_dir_all(path);
}
