//! Golden cases: where they are, and what their first lines say. Runs no translation.
//!
//! A case is `tests/golden/<feature>/<case>.yaml`: comment lines, manifests, a line `# Output`, and the expected output.
//! Its first line says the rule that it shows, in one sentence. These may follow:
//!
//! - `# fixtures: web, api` adds the manifests of `tests/golden/fixtures/`.
//! - `# serve: NAME` takes over an IngressClass controller.
//! - `# tenancy: strict` gives each host to the namespace that came first.
//! - `# default certificate: NAMESPACE/NAME` names the certificate for hosts that have none.
//! - `# output: full` prints settings that equal their defaults too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use steadygate::source::Key;
use steadygate::translate::{Options, Tenancy};

use super::manifests;

const MARK: &str = "# Output\n";
const FIXTURES: &str = "fixtures";

/// One file, read.
pub(super) struct Case {
    pub(super) file: PathBuf,
    /// Everything above the line `# Output`.
    input: String,
    /// Everything below it.
    pub(super) expected: String,
    fixtures: Vec<String>,
    /// A case is translated as a directory of manifests is.
    pub(super) options: Options,
    /// Whether the output shows defaults.
    pub(super) full: bool,
}

impl Case {
    /// Reads a file, and fails on a first line or a header that is not of the form above.
    pub(super) fn read(file: PathBuf) -> Self {
        let text = read(&file);
        let (input, expected) = text.split_once(MARK).unwrap_or((&text, ""));
        let mut lines = input.lines().map_while(|line| line.strip_prefix("# "));
        let rule = lines.next().unwrap_or_default();
        assert!(rule.ends_with('.'), "{} does not begin with its rule, in a sentence", file.display());
        let (mut fixtures, mut options, mut full) = (Vec::new(), Options::default(), false);
        options.everything_without_class = true;
        for line in lines {
            match line.split_once(": ") {
                Some(("fixtures", names)) => fixtures.extend(names.split(", ").map(str::to_owned)),
                Some(("serve", controller)) => options.serve_controllers.push(controller.to_owned()),
                Some(("tenancy", "strict")) => options.tenancy = Tenancy::Strict,
                Some(("default certificate", secret)) => {
                    let (namespace, name) = secret.split_once('/').expect("NAMESPACE/NAME");
                    options.default_certificate = Some(Key::new(namespace, name));
                }
                Some(("output", "full")) => full = true,
                _ => panic!("{}: {line:?} is no header", file.display()),
            }
        }
        Self { input: input.to_owned(), expected: expected.to_owned(), file, fixtures, options, full }
    }

    /// The case called `<feature>/<case>`.
    pub(super) fn named(name: &str) -> Self {
        Self::read(root().join(name).with_extension("yaml"))
    }

    /// The manifests, fixtures included.
    pub(super) fn documents(&self) -> Vec<Value> {
        let fixtures = self.fixtures.iter().map(|name| read(&root().join(FIXTURES).join(name).with_extension("yaml")));
        [self.input.clone()].into_iter().chain(fixtures).flat_map(|text| manifests::documents(&text)).collect()
    }

    /// Rewrites the file with this output.
    pub(super) fn bless(&self, output: &str) {
        fs::write(&self.file, format!("{}\n{MARK}{output}", self.input.trim_end())).expect("writable");
    }
}

/// Every case. A file under `tests/golden` that nothing reads fails here.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut fixtures = BTreeSet::new();
    for feature in list(&root()) {
        assert!(feature.is_dir(), "{} is in no feature's folder, so nothing reads it", feature.display());
        for file in list(&feature) {
            let is_yaml = file.is_file() && file.extension().is_some_and(|extension| extension == "yaml");
            assert!(is_yaml, "{} is no case, so nothing reads it", file.display());
            if feature.ends_with(FIXTURES) {
                fixtures.insert(file.file_stem().expect("a name").to_string_lossy().into_owned());
            } else {
                cases.push(Case::read(file));
            }
        }
    }
    assert!(cases.len() > 20, "the cases are not where they are expected");
    let used: BTreeSet<_> = cases.iter().flat_map(|case| case.fixtures.iter().cloned()).collect();
    assert_eq!(fixtures, used, "the fixtures that exist, and those that cases name");
    cases
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).expect("a folder").map(|e| e.expect("readable").path()).collect();
    entries.sort();
    entries
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
