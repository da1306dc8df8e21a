//! Options about what objects mean. All commands that translate objects have them.

use crate::source::Key;
use crate::translate::{Options, Tenancy};

/// How objects are translated.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ObjectOptions {
    /// Serve IngressClasses of this controller too, such as k8s.io/ingress-nginx or azure/application-gateway (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(super) serve_controller: Vec<String>,

    /// Whether objects of several namespaces may serve one host (shared), or a host and those below its wildcard belong to the
    /// namespace that came first (strict)
    #[arg(long, value_name = "TENANCY", value_parser = tenancy, default_value = "shared")]
    pub(super) tenancy: Tenancy,

    /// The Secret with the certificate for TLS clients whose host has none, and for those that send no server name
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = key)]
    pub(super) default_certificate: Option<Key>,
}

impl ObjectOptions {
    /// How the manifests of a directory are translated.
    pub(super) fn of_directory(&self) -> Options {
        let Self { serve_controller, tenancy, default_certificate } = self.clone();
        Options {
            serve_controllers: serve_controller,
            everything_without_class: true,
            tenancy,
            default_certificate,
            ..Options::default()
        }
    }
}

/// Reads `NAMESPACE/NAME`.
pub(super) fn key(text: &str) -> Result<Key, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Key::new(namespace, name))
        }
        _ => Err("write it as NAMESPACE/NAME".to_owned()),
    }
}

fn tenancy(text: &str) -> Result<Tenancy, String> {
    match text {
        "shared" => Ok(Tenancy::Shared),
        "strict" => Ok(Tenancy::Strict),
        _ => Err("write shared or strict".to_owned()),
    }
}
