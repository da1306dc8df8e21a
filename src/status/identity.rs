//! Who this replica is, and where its lease is: from the environment of its pod.

use std::env;
use std::fs;

use crate::source::Key;

const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const LEASE_NAME: &str = "steadygate";

/// The pod's name, else the host's, and something that no other process has.
pub(super) fn identity() -> String {
    let host = || fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    let name = variable("POD_NAME").or_else(|| variable("HOSTNAME")).or_else(host);
    format!("{}_{:08x}", name.unwrap_or_else(|| LEASE_NAME.to_owned()), fastrand::u32(..))
}

/// The lease where none is named: `steadygate` in the pod's namespace, else in `fallback`.
pub(super) fn lease(fallback: &str) -> Key {
    let file = || fs::read_to_string(NAMESPACE_FILE).ok().map(|text| text.trim().to_owned());
    let namespace = variable("POD_NAMESPACE").or_else(file).filter(|text| !text.is_empty());
    Key::new(namespace.unwrap_or_else(|| fallback.to_owned()), LEASE_NAME)
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
