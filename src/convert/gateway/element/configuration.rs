//! Secrets and ConfigMaps that the elements of a gateway need: certificates with their keys, CA certificates, pages for errors.
//!
//! No key and no password is read or written. Certificates of CAs are public, and are carried over.

mod authority;

use std::collections::BTreeSet;

use super::Conversion;
use crate::convert::gateway::{Naming, name, scalar, shown};
use crate::convert::report::Outcome;
use crate::convert::value::{Causes, Object, Part, Value};
use crate::convert::yaml::{Yaml, YamlField};

/// Secrets and ConfigMaps as they are collected.
#[derive(Debug)]
pub(super) struct Configuration {
    gateway: String,
    objects: Vec<ConfigObject>,
    names: BTreeSet<String>,
    /// Pages for errors, in one ConfigMap.
    pages: Vec<YamlField>,
}

#[derive(Debug)]
struct ConfigObject {
    kind: ConfigKind,
    name: String,
    data: Vec<YamlField>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConfigKind {
    TlsSecret,
    ConfigMap,
}

impl Configuration {
    pub(super) fn new(gateway: &str) -> Self {
        let gateway = name::sanitized(gateway);
        Self { gateway, objects: Vec::new(), names: BTreeSet::new(), pages: Vec::new() }
    }

    /// Adds an object for an element, and gives it a name of its own.
    fn add(&mut self, kind: ConfigKind, element: &str, data: Vec<YamlField>) -> String {
        let wanted = name::sanitized(&format!("{}-{element}", self.gateway));
        let name = name::unique(&wanted, &mut self.names);
        self.objects.push(ConfigObject { kind, name: name.clone(), data });
        name
    }

    /// All of them, as documents.
    pub(super) fn into_objects(self, naming: &Naming) -> Vec<Yaml> {
        let Self { gateway, mut objects, names: _, pages } = self;
        if !pages.is_empty() {
            objects.push(ConfigObject { kind: ConfigKind::ConfigMap, name: pages_name(&gateway), data: pages });
        }
        let document = |ConfigObject { kind, name, data }: ConfigObject| {
            let metadata = name::metadata(Yaml::Text(name), naming);
            let mut fields = vec![YamlField::new("apiVersion", Yaml::text("v1"))];
            match kind {
                ConfigKind::TlsSecret => {
                    fields.push(YamlField::new("kind", Yaml::text("Secret")));
                    fields.push(YamlField::new("metadata", metadata));
                    fields.push(YamlField::new("type", Yaml::text("kubernetes.io/tls")));
                    fields.push(YamlField::new("stringData", Yaml::Map(data)));
                }
                ConfigKind::ConfigMap => {
                    fields.push(YamlField::new("kind", Yaml::text("ConfigMap")));
                    fields.push(YamlField::new("metadata", metadata));
                    fields.push(YamlField::new("data", Yaml::Map(data)));
                }
            }
            Yaml::Map(fields)
        };
        objects.into_iter().map(document).collect()
    }
}

fn pages_name(gateway: &str) -> String {
    name::sanitized(&format!("{gateway}-error-pages"))
}

impl Conversion<'_> {
    /// The reference of an element to its Secret or ConfigMap, which is made. `None`: the element has none of this kind.
    pub(super) fn configured(
        &mut self,
        field: &str,
        object: &Object,
        path: &str,
        collection: Option<&str>,
    ) -> Option<YamlField> {
        match (field, collection?) {
            ("secretRef", "sslCertificates") => Some(self.server_certificate(object, path)),
            ("configMapRef", "trustedRootCertificates" | "trustedClientCertificates") => {
                Some(self.authority(object, path))
            }
            ("configMapRef", "customErrorConfigurations") => self.error_page(object, path),
            _ => None,
        }
    }

    fn server_certificate(&mut self, object: &Object, path: &str) -> YamlField {
        let element = element_name(object);
        let to_fill = |what: &str| Yaml::Unknown(format!("{what} of sslCertificates {element:?}"));
        let data = vec![
            YamlField::new("tls.crt", to_fill("the certificate and its chain, PEM,")),
            YamlField::new("tls.key", to_fill("the private key, PEM,")),
        ];
        let secret = self.configuration.add(ConfigKind::TlsSecret, &element, data);
        let message = match object.member("keyVaultSecretId") {
            Some(vault) => format!("the secret {} of a Key Vault is not read", scalar::shown(vault)),
            None => "data and password are not carried over".to_owned(),
        };
        let remedy = format!(
            "fill in the Secret {secret}, or make it: kubectl create secret tls {secret} --cert=FILE --key=FILE (openssl pkcs12 -in \
             FILE.pfx -nodes gives both)"
        );
        self.report.add(Outcome::Open, (self.label, path), message, remedy);
        self.note_unknown(object, path);
        YamlField::new("secretRef", Yaml::map([("name", Yaml::Text(secret))]))
    }

    /// CA certificates: carried over where they are there, for they are public.
    fn authority(&mut self, object: &Object, path: &str) -> YamlField {
        let element = element_name(object);
        let read = match (object.member("data"), object.member("keyVaultSecretId")) {
            (_, Some(vault)) => Err(format!("the secret {} of a Key Vault is not read", scalar::shown(vault))),
            (Some(Value::Text(data)), None) => authority::pem(data).map_err(str::to_owned),
            (Some(open), None) => {
                let mut causes = Causes::new();
                open.causes(&mut causes);
                Err(format!("data is unknown: {}", shown(&causes)))
            }
            (None, None) => Err("the template has no data".to_owned()),
        };
        let map = match read {
            Ok(pem) => {
                self.configuration.add(ConfigKind::ConfigMap, &element, vec![YamlField::new("ca.crt", Yaml::Text(pem))])
            }
            Err(message) => {
                let unknown = Yaml::Unknown(format!("the CA certificates of {element:?}, PEM"));
                let map =
                    self.configuration.add(ConfigKind::ConfigMap, &element, vec![YamlField::new("ca.crt", unknown)]);
                let remedy = format!("fill in ca.crt of the ConfigMap {map}");
                self.report.add(Outcome::Open, (self.label, path), message, remedy);
                map
            }
        };
        self.note_unknown(object, path);
        YamlField::new("configMapRef", Yaml::map([("name", Yaml::Text(map))]))
    }

    fn error_page(&mut self, object: &Object, path: &str) -> Option<YamlField> {
        let url = object.member("customErrorPageUrl")?;
        let status = object.member("statusCode").map(scalar::shown).unwrap_or_default();
        let digits: String = status.chars().filter(char::is_ascii_digit).collect();
        let mut key = format!("{digits}.html");
        // Listeners may have pages of their own for one status.
        let page = Yaml::Unknown(format!("the page at {}", scalar::shown(url)));
        let mut number = 1;
        while let Some(same) = self.configuration.pages.iter().find(|field| field.name == key) {
            if same.value == page {
                break;
            }
            number += 1;
            key = format!("{digits}-{number}.html");
        }
        if !self.configuration.pages.iter().any(|field| field.name == key) {
            self.configuration.pages.push(YamlField::new(&key, page));
        }
        let map = pages_name(&self.configuration.gateway);
        let message = format!("the page at {} is not fetched: pages come from a ConfigMap", scalar::shown(url));
        self.report.add(
            Outcome::Open,
            (self.label, path),
            message,
            format!("write it into {key} of the ConfigMap {map}"),
        );
        self.note_unknown(object, path);
        Some(YamlField::new("configMapRef", Yaml::map([("name", Yaml::Text(map)), ("key", Yaml::Text(key))])))
    }

    /// Notes what a certificate or a page depends on. What has to be done is the same, whether it is known or not.
    fn note_unknown(&mut self, object: &Object, path: &str) {
        for (name, value) in object.iter().filter(|(name, value)| value.is_open() && !name.eq_ignore_ascii_case("name"))
        {
            let mut causes = Causes::new();
            value.causes(&mut causes);
            self.report.add_unknown(self.label, &format!("{path}.{name}"), &causes);
        }
    }
}

/// The name of an element, as far as it is known.
fn element_name(object: &Object) -> String {
    match object.member("name") {
        Some(Value::Partial(partial)) => partial
            .parts()
            .iter()
            .filter_map(|part| if let Part::Known(text) = part { Some(text.as_str()) } else { None })
            .collect(),
        name => name.and_then(Value::as_text).unwrap_or_default().to_owned(),
    }
}
