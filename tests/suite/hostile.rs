//! A directory with many mistakes: each broken object is reported with a remedy, each good one is served.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use steadygate::cli::check;
use steadygate::report::{Reason, Severity};
use steadygate::source::directory::read;
use steadygate::source::{Input, Snapshot, for_each_kind};
use tempfile::TempDir;

/// The report that one broken object must get: its file, its name (or `-` without one), the field, and a part of
/// the message or remedy.
type Case = (&'static str, &'static str, &'static str, &'static str);

/// Objects that are refused by themselves.
const REFUSED: &[Case] = &[
    ("ingress.yaml", "path-typo", "spec.rules[0].http.paths[0].pathTypo", "did you mean pathType?"),
    ("ingress.yaml", "no-path-type", "spec.rules[0].http.paths[0].pathType", "write pathType"),
    ("ingress.yaml", "path-type-case", "spec.rules[0].http.paths[0].pathType", "did you mean Prefix?"),
    ("ingress.yaml", "path-type-other", "spec.rules[0].http.paths[0].pathType", "write one of Exact"),
    ("ingress.yaml", "relative-path", "spec.rules[0].http.paths[0].path", "first '/'"),
    ("ingress.yaml", "no-path", "spec.rules[0].http.paths[0].path", "first '/'"),
    ("ingress.yaml", "relative-path-specific", "spec.rules[0].http.paths[0].path", "first '/'"),
    ("ingress.yaml", "double-slash", "spec.rules[0].http.paths[0].path", "without '//'"),
    ("ingress.yaml", "dot-dot", "spec.rules[0].http.paths[0].path", "without '/../'"),
    ("ingress.yaml", "dot-dot-end", "spec.rules[0].http.paths[0].path", "without '/..'"),
    ("ingress.yaml", "encoded-slash", "spec.rules[0].http.paths[0].path", "without '%2f'"),
    ("ingress.yaml", "encoded-backslash", "spec.rules[0].http.paths[0].path", "without '%5c'"),
    ("ingress.yaml", "no-paths", "spec.rules[0].http.paths", "write a path"),
    ("ingress.yaml", "host-is-address", "spec.rules[0].host", "IP address"),
    ("ingress.yaml", "host-with-port", "spec.rules[0].host", "without scheme or port"),
    ("ingress.yaml", "host-upper-case", "spec.rules[0].host", "lower case"),
    ("ingress.yaml", "host-inner-wildcard", "spec.rules[0].host", "whole first label"),
    ("ingress.yaml", "host-underscore", "spec.rules[0].host", "write a DNS name"),
    ("ingress.yaml", "neither-backend", "spec.defaultBackend", "write service"),
    ("ingress.yaml", "both-backends", "spec.defaultBackend", "keep one"),
    ("ingress.yaml", "no-port", "spec.defaultBackend.service.port", "port.number"),
    ("ingress.yaml", "both-ports", "spec.defaultBackend.service.port", "keep one"),
    ("ingress.yaml", "port-out-of-range", "spec.defaultBackend.service.port.number", "between 1 and 65535"),
    ("ingress.yaml", "port-in-quotes", "spec.defaultBackend.service.port.number", "remove the quotes"),
    ("ingress.yaml", "old-backend", "spec.defaultBackend.serviceName", "service"),
    ("ingress.yaml", "no-rules", "spec", "spec.rules"),
    ("ingress.yaml", "no-spec", "spec", "write spec"),
    ("ingress.yaml", "rules-not-a-list", "spec.rules", "write a list"),
    ("ingress.yaml", "two-classes", "metadata.annotations[kubernetes.io/ingress.class]", "remove the annotation"),
    ("ingress.yaml", "tls-host", "spec.tls[0].hosts[0]", "without scheme"),
    ("service.yaml", "service-no-ports", "spec.ports", "write spec.ports"),
    ("service.yaml", "service-port-zero", "spec.ports[0].port", "between 1 and 65535"),
    ("service.yaml", "service-unnamed-ports", "spec.ports[0].name", "write name"),
    ("service.yaml", "service-same-names", "spec.ports[1].name", "its own name"),
    ("service.yaml", "service-same-ports", "spec.ports[1].port", "keep one"),
    ("service.yaml", "service-type", "spec.type", "did you mean LoadBalancer?"),
    ("service.yaml", "service-protocol", "spec.ports[0].protocol", "did you mean TCP?"),
    ("service.yaml", "service-target-port", "spec.ports[0].targetPort", "at most 15"),
    ("service.yaml", "external-nowhere", "spec.externalName", "write the DNS name"),
    ("service.yaml", "external-address", "spec.externalName", "not a valid name"),
    ("service.yaml", "external-url", "spec.externalName", "not a valid name"),
    ("service.yaml", "service-cluster-ip", "spec.clusterIP", "None"),
    ("endpoints.yaml", "slice-no-type", "addressType", "write addressType"),
    ("endpoints.yaml", "slice-type", "addressType", "did you mean IPv4?"),
    ("endpoints.yaml", "slice-address", "endpoints[0].addresses[0]", "10.0.0.256"),
    ("endpoints.yaml", "slice-family", "endpoints[0].addresses[0]", "change addressType"),
    ("endpoints.yaml", "slice-metadata-service", "endpoints[0].addresses[0]", "link-local"),
    ("endpoints.yaml", "slice-mapped-metadata-service", "endpoints[0].addresses[0]", "link-local"),
    ("endpoints.yaml", "slice-unspecified", "endpoints[0].addresses[0]", "unspecified"),
    ("endpoints.yaml", "slice-multicast", "endpoints[0].addresses[0]", "multicast"),
    ("endpoints.yaml", "slice-no-addresses", "endpoints[0].addresses", "write its address"),
    ("endpoints.yaml", "slice-port", "ports[0].port", "between 1 and 65535"),
    ("config.yaml", "secret-not-base64", "data.password", "stringData"),
    ("config.yaml", "secret-no-key", "data[tls.key]", "write tls.key"),
    ("config.yaml", "secret-number", "stringData.pin", "quotes"),
    ("config.yaml", "secret-typo", "stringdata", "did you mean stringData?"),
    ("config.yaml", "map-key", "data[a/b]", "use letters"),
    ("config.yaml", "map-number", "data.port", "quotes"),
    ("config.yaml", "map-null", "data.empty", "\"\""),
    ("config.yaml", "map-twice", "binaryData.a", "keep one"),
    ("config.yaml", "class-no-controller", "spec.controller", "steadygate.io/ingress-controller"),
    ("config.yaml", "class-controller", "spec.controller", "steadygate.io/ingress-controller"),
    ("config.yaml", "class-scope", "spec.parameters.namespace", "remove it"),
    ("config.yaml", "gateway-typo", "spec.ingressClasName", "did you mean ingressClassName?"),
    ("config.yaml", "gateway-no-spec", "spec", "write spec"),
    ("config.yaml", "gateway-type", "spec.ingressClassName", "text is expected"),
    ("config.yaml", "gateway-metadata", "metadata.lables", "did you mean labels?"),
    ("pods.yaml", "pod-no-containers", "spec.containers", "write spec.containers"),
    ("pods.yaml", "pod-no-spec", "spec", "write spec"),
    ("pods.yaml", "pod-port", "spec.containers[0].ports[0].containerPort", "between 1 and 65535"),
    ("pods.yaml", "pod-probe", "spec.containers[0].readinessProbe.httpGet.scheme", "did you mean HTTPS?"),
    ("pods.yaml", "pod-probe-typo", "spec.containers[0].readinesProbe", "did you mean readinessProbe?"),
    ("pods.yaml", "pod-same-names", "spec.containers[1].name", "its own name"),
    ("metadata.yaml", "Upper_Case", "metadata.name", "lower-case"),
    ("metadata.yaml", "metadata-namespace", "metadata.namespace", "lower-case"),
    ("metadata.yaml", "metadata-label", "metadata.labels.app", "annotation"),
    ("metadata.yaml", "metadata-label-number", "metadata.labels.version", "quotes"),
    ("metadata.yaml", "metadata-label-key", "metadata.labels[a/b/c]", "prefix"),
    (
        "metadata.yaml",
        "metadata-annotation-boolean",
        "metadata.annotations[appgw.ingress.kubernetes.io/ssl-redirect]",
        "quotes",
    ),
    ("metadata.yaml", "metadata-list", "metadata.labels", "remove the '-'"),
    ("metadata.yaml", "metadata-twice", "metadata.name", "document 9"),
    ("nameless.yaml", "-", "document 2, line 5, column 1", "write metadata"),
    ("nameless.yaml", "-", "document 3, line 10, column 1", "write metadata.name"),
    ("nameless.yaml", "-", "document 4, line 14, column 12", "write metadata.name"),
    ("nameless.yaml", "-", "document 5, line 17, column 1", "write apiVersion"),
    ("nameless.yaml", "-", "document 6, line 20, column 1", "write kind"),
    ("nameless.yaml", "-", "document 7, line 23, column 1", "a manifest is a mapping"),
    ("nameless.yaml", "-", "document 8, line 26, column 1", "a manifest is a mapping"),
    ("nameless.yaml", "-", "document 9, line 29, column 1", "must be text"),
    ("nameless.yaml", "-", "document 10, line 33, column 1", "a list"),
    ("kinds.yaml", "ancient", "apiVersion", "write apiVersion: networking.k8s.io/v1; each path needs"),
    ("kinds.yaml", "old", "apiVersion", "pathType"),
    ("kinds.yaml", "-", "document 4, line 16, column 1", "did you mean Service?"),
    ("kinds.yaml", "other-group", "apiVersion", "write apiVersion: networking.k8s.io/v1"),
    ("kinds.yaml", "item-number", "data.a", "quotes"),
    ("tab.yaml", "-", "document 2, line 8", "spaces"),
    ("quote.yaml", "-", "document 2, line", "quotes"),
    ("colon.yaml", "-", "document 2, line 9", "quotes"),
    ("duplicate-key.yaml", "-", "document 2, line 11", "lines 9 and 11"),
    ("tag.yaml", "-", "document 2, line 9", "without the tag"),
    ("alias.yaml", "-", "document 2, line 8", "define the anchor"),
    ("unclosed.json", "-", "document 1, line", "correct the text"),
    ("latin-1.yaml", "-", "document 1, line 4", "UTF-8"),
    ("generated-annotation.yaml", "generated-annotation", "metadata.annotations", "ConfigMap"),
    ("generated-endpoints.yaml", "generated-endpoints", "endpoints", "another EndpointSlice"),
    ("generated-size.yaml", "generated-size", "data", "split it"),
    ("generated-depth.yaml", "-", "document 1, line 1", "less deeply"),
    ("generated-bomb.yaml", "-", "document 1, line", "aliases"),
    ("generated-large.yaml", "-", "document 1, line 1", "several files"),
];

/// Objects that are refused only because of others: `late.yaml`, by translation.
pub(crate) const REFUSED_LATER: &[(&str, &str, Reason)] = &[
    ("late-no-service", "spec.rules[0].http.paths[0].backend.service.name", Reason::ServiceNotFound),
    ("late-no-service-near", "spec.rules[0].http.paths[0].backend.service.name", Reason::ServiceNotFound),
    ("late-no-port-number", "spec.rules[0].http.paths[0].backend.service.port.number", Reason::PortNotFound),
    ("late-no-port-name", "spec.rules[0].http.paths[0].backend.service.port.name", Reason::PortNotFound),
    ("late-no-secret", "spec.tls[0].secretName", Reason::SecretNotFound),
    ("late-bad-certificate", "spec.tls[0].secretName", Reason::InvalidCertificate),
    ("late-mismatched-key", "spec.tls[0].secretName", Reason::InvalidCertificate),
    ("late-wrong-secret-type", "spec.tls[0].secretName", Reason::InvalidCertificate),
    ("late-no-class", "spec.ingressClassName", Reason::ClassNotFound),
    ("late-conflict", "spec.rules[0].http.paths[0].path", Reason::Conflict),
    ("late-resource-backend", "spec.rules[0].http.paths[0].backend.resource", Reason::Unsupported),
    (
        "late-bad-annotation",
        "metadata.annotations[appgw.ingress.kubernetes.io/request-timeout]",
        Reason::InvalidAnnotation,
    ),
    ("late-bad-boolean", "metadata.annotations[appgw.ingress.kubernetes.io/ssl-redirect]", Reason::InvalidAnnotation),
    ("late-no-endpoints", "spec.rules[0].http.paths[0].backend.service.name", Reason::NoEndpoints),
    ("late-other-namespace", "spec.rules[0].http.paths[0].backend.service.name", Reason::ServiceNotFound),
];

/// A copy of `tests/hostile`, with files added that are too large or too short-lived to be kept there.
pub(crate) fn directory() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    for entry in fs::read_dir(own).expect("there") {
        let path = entry.expect("listed").path();
        fs::copy(&path, dir.path().join(path.file_name().expect("named"))).expect("copied");
    }
    let write = |name: &str, text: String| fs::write(dir.path().join(name), text).expect("written");
    let map = |name: &str, rest: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{rest}\n");
    let big = "x".repeat(1_100_000);
    write("generated-annotation.yaml", map("generated-annotation", &format!("  annotations: {{a: {big}}}")));
    write("generated-size.yaml", map("generated-size", &format!("data: {{a: {big}}}")));
    write("generated-depth.yaml", "[".repeat(100_000));
    write("generated-large.yaml", "# much\n".repeat(3_000_000));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        bomb += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
    }
    write("generated-bomb.yaml", bomb);
    let endpoints: String = (0..1_001).map(|n| format!("- addresses: [10.0.{}.{}]\n", n / 250, n % 250 + 1)).collect();
    write(
        "generated-endpoints.yaml",
        format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: generated-endpoints\naddressType: IPv4\nendpoints:\n{endpoints}"
        ),
    );
    let paths: String = (0..10_000)
        .map(|n| format!("      - {{path: /p{n}, pathType: Exact, backend: {{service: {{name: good-web, port: {{number: 80}}}}}}}}\n"))
        .collect();
    write(
        "generated-paths.yaml",
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: good-many-paths\nspec:\n  rules:\n  - host: many.example.com\n    http:\n      paths:\n{paths}"
        ),
    );
    write("generated-certificates.yaml", certificates());
    dir
}

/// A Secret with the key of another certificate, and one with an expired certificate.
fn certificates() -> String {
    let issue = |host: &str, years: (i32, i32)| {
        let mut params = rcgen::CertificateParams::new(vec![host.to_owned()]).expect("a DNS name");
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        (params.self_signed(&key).expect("signed").pem(), key.serialize_pem())
    };
    let secret = |name: &str, certificate: &str, key: &str| {
        let text = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": certificate, "tls.key": key},
        });
        format!("---\n{text}\n")
    };
    let mismatch = issue("late-mismatch.example.com", (2020, 2060));
    let other = issue("other.example.com", (2020, 2060));
    let expired = issue("late-expired.example.com", (2001, 2002));
    secret("generated-mismatch", &mismatch.0, &other.1) + &secret("generated-expired", &expired.0, &expired.1)
}

/// From the list of kinds: the names of all objects that are served.
macro_rules! define_served {
    ($($kind:ident $field:ident $stored:ty, $watch:ident;)*) => {
        fn served(snapshot: &Snapshot) -> BTreeSet<String> {
            let mut names = BTreeSet::new();
            $(names.extend(snapshot.$field.keys().map(|key| key.name().to_owned()));)*
            names
        }
    };
}
for_each_kind!(define_served);

fn is_told(input: &Input, (file, name, field, said): &Case) -> bool {
    input.reports.iter().any(|report| {
        let object = if *name == "-" { *file } else { *name };
        let at = input.origins.locator().locate(report);
        report.object.name() == object
            && (report.field == *field || *name == "-" && report.field.starts_with(field))
            && at.is_some_and(|at| at.file == Path::new(file))
            && (report.message.contains(said) || report.remedy.contains(said))
            && !report.remedy.is_empty()
            && report.severity == Severity::Error
    })
}

#[test]
fn each_broken_object_is_reported_and_each_good_one_served() {
    let dir = directory();
    let start = Instant::now();
    let input = read(dir.path()).expect("read");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());

    assert!(REFUSED.len() + REFUSED_LATER.len() >= 100);
    let silent: Vec<_> = REFUSED.iter().filter(|case| !is_told(&input, case)).collect();
    let mut told: Vec<_> = input.reports.iter().map(ToString::to_string).collect();
    told.retain(|report| silent.iter().any(|case| report.contains(case.1) || case.1 == "-"));
    assert!(silent.is_empty(), "not told: {silent:#?}\ntold: {told:#?}");

    let known: BTreeSet<_> = REFUSED.iter().flat_map(|case| [case.0, case.1]).collect();
    let surplus: Vec<_> = input
        .reports
        .iter()
        .filter(|report| report.severity == Severity::Error && !known.contains(report.object.name()))
        .collect();
    assert!(surplus.is_empty(), "told of something good: {surplus:#?}");

    let served = served(&input.snapshot);
    let good: BTreeSet<String> = fs::read_dir(dir.path())
        .expect("there")
        .map(|entry| fs::read(entry.expect("listed").path()).expect("read"))
        .flat_map(|text| words(&String::from_utf8_lossy(&text)))
        .filter(|word| word.starts_with("good-") && word != "good-wbe")
        .collect();
    assert!(good.len() > 20, "{good:?}");
    assert_eq!(good.difference(&served).collect::<Vec<_>>(), [] as [&String; 0], "good, and not served");
    for (_, name, ..) in REFUSED.iter().filter(|case| case.1 != "metadata-twice") {
        assert!(!served.contains(*name), "{name} is refused, and served");
    }
    for (name, ..) in REFUSED_LATER {
        assert!(served.contains(*name), "{name} is valid by itself");
    }
    let said = format!("{input:?}");
    assert!(!said.contains("hunter2") && !said.contains("12345678"), "what a Secret holds is in no report");
}

/// The words of a manifest that may be names.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).map(str::to_owned).collect()
}

#[test]
fn check_shows_each_and_counts_them() {
    let dir = directory();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    assert_eq!(check::run(dir.path(), |_| Vec::new(), &mut out, &mut err), 1);
    let text = String::from_utf8(out).expect("text");
    assert!(!text.contains("hunter2") && !text.contains("12345678"), "a Secret is shown");
    for shown in [
        "error[InvalidObject]: Ingress default/path-typo: spec.rules[0].http.paths[0].pathTypo\n  --> ingress.yaml:18:9 (document 2)",
        "   |\n18 |       - pathTypo: Prefix\n   |         ^^^^^^^^\n   = the field \"pathTypo\" is not known\n   = help: did you mean pathType?\n",
        "error[Unreadable]: File duplicate-key.yaml\n",
        "warning[UnknownKind]: File kinds.yaml\n",
    ] {
        assert!(text.contains(shown), "not shown: {shown}\n{}", &text[..text.len().min(6_000)]);
    }
    let last = text.lines().last().expect("a last line");
    assert!(last.contains(" errors, 1 warning in ") && last.ends_with(" files"), "{last}");
    assert!(err.is_empty());
    assert_eq!(check::run(&dir.path().join("nowhere"), |_| Vec::new(), &mut Vec::new(), &mut err), 2);
    assert!(String::from_utf8(err).expect("text").contains("nowhere"));
}

/// The output of `check` for a directory with this one file.
fn checked(text: &str) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("a.yaml"), text).expect("written");
    let mut out = Vec::new();
    check::run(dir.path(), |_| Vec::new(), &mut out, &mut Vec::new());
    String::from_utf8(out).expect("text")
}

#[test]
fn check_shows_no_line_that_may_be_of_a_secret() {
    let broken = "{\"apiVersion\": \"networking.k8s.io/v1\", \"kind\": \"Ingress\", \"metadata\": {\"name\": \"a\"}}";
    let secret = "{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {\"name\": \"s\"}, \"stringData\": {\"password\": \"hunter2\"}}";
    for (text, said) in [
        (
            format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{broken}, {secret}]}}"),
            "Ingress default/a",
        ),
        (secret.replace("Secret", "secret"), "did you mean Secret?"),
        (secret.replace("Secret", "secrt").replace("}}", "}"), "not YAML"),
    ] {
        let told = checked(&text);
        assert!(told.contains(said) && !told.contains("hunter2"), "{told}");
    }
    assert!(checked(broken).contains(&format!("1 | {broken}")));
}

#[test]
fn the_cost_of_check_grows_with_the_number_of_mistakes_and_no_faster() {
    let documents = |count: usize| "---\n{apiVersion: v1, kind: Unknown, metadata: {name: a}}\n".repeat(count);
    let items = |count: usize| {
        let item = |n| format!("{{apiVersion: v1, kind: Service, metadata: {{name: a{n}}}, spec: {{port: 1}}}}");
        format!("{{apiVersion: v1, kind: List, items: [{}]}}", (0..count).map(item).collect::<Vec<_>>().join(", "))
    };
    let cost = |text: &dyn Fn(usize) -> String, count| {
        let text = text(count);
        let before = cpu_time();
        assert!(checked(&text).contains(&format!("{count} errors")));
        cpu_time() - before
    };
    for text in [&documents as &dyn Fn(usize) -> String, &items] {
        cost(text, 10); // What is made once, as schemas are, is made here.
        let (few, many) = (cost(text, 1_000), cost(text, 10_000));
        assert!(many < 30 * few, "ten times the mistakes: {few:?} and {many:?}");
    }
}

/// The CPU time of this thread, which does not depend on what else the machine does (Linux, proc(5): `schedstat`).
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel's statistics");
    let nanoseconds = stat.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("nanoseconds on a CPU"))
}
