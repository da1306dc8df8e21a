//! `--run`: what was converted is served on this machine, from a directory that is there for as long as the trial lasts.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::gateway::{Backend, eventually, get};

/// A port of this machine that nobody listens at.
fn free() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
    listener.local_addr().expect("bound")
}

/// A gateway with one listener, whose backend is this one.
fn template(backend: &Backend) -> String {
    let port = backend.address.port();
    format!(
        r#"{{"name": "trial", "properties": {{
            "frontendPorts": [{{"name": "web", "properties": {{"port": 80}}}}],
            "httpListeners": [{{"name": "l", "properties": {{"frontendPort": {{"id": "/web"}}, "protocol": "Http"}}}}],
            "backendAddressPools": [{{"name": "p", "properties": {{"backendAddresses": [{{"ipAddress": "127.0.0.1"}}]}}}}],
            "backendHttpSettingsCollection": [{{"name": "s", "properties": {{"port": {port}, "protocol": "Http"}}}}],
            "requestRoutingRules": [{{"name": "r", "properties": {{"httpListener": {{"id": "/l"}},
                "backendAddressPool": {{"id": "/p"}}, "backendHttpSettings": {{"id": "/s"}}}}}}]}}}}"#
    )
}

#[tokio::test]
async fn a_trial_serves_what_was_converted_and_leaves_nothing_behind() {
    let backend = Backend::start("trial").await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("trial.json");
    std::fs::write(&file, template(&backend)).expect("written");
    let (address, admin) = (free(), free());
    let mut trial = Command::new(env!("CARGO_BIN_EXE_steadygate"))
        .arg("convert")
        .arg(&file)
        .args(["--run", "--listen", &format!("80={address}"), "--admin", &admin.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(trial.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
    let served =
        line.strip_prefix("Served from ").and_then(|rest| rest.split_once(',')).expect("the directory").0.to_owned();

    let opens = async || tokio::net::TcpStream::connect(address).await.is_ok();
    eventually("the trial serves", opens).await;
    let answers = async || get(address, "any.example", "/path").await.body == "trial /path";
    eventually("the trial forwards", answers).await;

    assert!(std::path::Path::new(&served).is_dir(), "{served}");
    let process = i32::try_from(trial.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(process, Signal::TERM).expect("told to stop");
    assert!(trial.wait().expect("it ends").success());
    assert!(!std::path::Path::new(&served).exists(), "{served}");
}

#[test]
fn a_gateway_with_values_to_fill_in_is_not_tried() {
    let converted = super::convert(&super::fixture("arm/03-three-sites-waf.json"), &["--run"]);
    assert_eq!(converted.code, 2);
    assert!(converted.report.contains("has values to fill in"), "{}", converted.report);
}
