//! ConfigMap and Secret. What a Secret holds is never in a message.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::metadata;
use super::name;
use crate::source::problem::Problems;
use crate::source::span::join;

/// How much a ConfigMap or a Secret may hold, in bytes.
const MAX_SIZE: usize = 1 << 20;

/// A ConfigMap.
pub(crate) fn config_map(map: &mut ConfigMap, problems: &mut Problems) {
    metadata::check(&map.metadata, name::subdomain, problems);
    let text = map.data.iter().flatten().map(|(key, value)| ("data", key, value.len()));
    let binary = map.binary_data.iter().flatten().map(|(key, value)| ("binaryData", key, value.0.len()));
    check_data(text.chain(binary), problems);
    for key in map.binary_data.iter().flatten().map(|(key, _)| key) {
        if map.data.as_ref().is_some_and(|data| data.contains_key(key)) {
            problems.refuse(join("binaryData", key), "the key is in data as well", "keep one of the two");
        }
    }
}

/// A Secret, with `stringData` merged into its data.
pub(crate) fn secret(secret: &mut Secret, problems: &mut Problems) {
    metadata::check(&secret.metadata, name::subdomain, problems);
    check_data(secret.data.iter().flatten().map(|(key, value)| ("data", key, value.0.len())), problems);
    let needed: &[&str] = match secret.type_.as_deref().unwrap_or_default() {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        _ => &[],
    };
    for key in needed {
        if secret.data.as_ref().is_none_or(|data| !data.contains_key(*key)) {
            let message = format!("a Secret of type {} needs {key}", secret.type_.as_deref().unwrap_or_default());
            problems.malformed(join("data", key), message, format!("write {key}, base64-encoded"));
        }
    }
}

fn check_data<'a>(entries: impl Iterator<Item = (&'static str, &'a String, usize)>, problems: &mut Problems) {
    let mut size = 0;
    for (map, key, length) in entries {
        size += length;
        let valid = key.len() <= 253
            && !key.is_empty()
            && !key.starts_with("..")
            && key != "."
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !valid {
            let message = format!("{} is not a valid key", name::quoted(key));
            problems.refuse(join(map, key), message, "use letters, digits, '-', '_' and '.'");
        }
    }
    if size > MAX_SIZE {
        let message = format!("{size} bytes are held, and at most {MAX_SIZE} are allowed");
        problems.refuse("data", message, "split it into several objects");
    }
}
