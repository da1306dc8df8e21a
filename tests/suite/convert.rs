//! `steadygate convert`, run as a user runs it, over the templates of `tests/convert`.

mod agic;
mod arm;
mod bad;
mod facts;
mod session;
mod trial;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// What a run printed.
struct Converted {
    code: i32,
    yaml: String,
    report: String,
}

impl Converted {
    /// The documents of the output.
    fn documents(&self) -> Vec<Value> {
        let texts = self.yaml.split("---\n").filter(|text| !text.trim().is_empty());
        texts.map(|text| serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))).collect()
    }

    /// The documents of one kind.
    fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.documents().into_iter().filter(|document| document["kind"] == kind).collect()
    }
}

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/convert").join(path)
}

/// The program with these arguments.
fn steadygate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_steadygate")).args(arguments).output().expect("it runs")
}

/// Converts a file.
fn convert(template: &Path, arguments: &[&str]) -> Converted {
    let template = template.to_str().expect("a path of text");
    let output = steadygate(&[&["convert", template], arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Converted {
        code: output.status.code().expect("it ends by itself"),
        yaml: text(output.stdout),
        report: text(output.stderr),
    }
}

/// Checks manifests. Gives the exit code and what was printed.
fn check(manifests: &str) -> (i32, String) {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("converted.yaml"), manifests).expect("written");
    let output = steadygate(&["check", directory.path().to_str().expect("a path of text")]);
    (output.status.code().expect("it ends by itself"), String::from_utf8(output.stdout).expect("text"))
}

/// A Secret with a self-signed certificate, in place of one that has to be filled in.
fn filled(secret: &Value, hosts: &[&str]) -> String {
    let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let mut secret = secret.clone();
    secret["stringData"] = serde_json::json!({"tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem()});
    secret.to_string()
}
