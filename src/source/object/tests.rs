use super::*;
use crate::report::Severity;
use crate::source::yaml;

fn read(text: &str) -> Vec<DocumentObject> {
    let (documents, faults) = yaml::parse_all(text.as_bytes());
    assert_eq!(faults, [], "{text}");
    documents.into_iter().flat_map(entries).collect()
}

fn one(text: &str) -> DocumentObject {
    let mut entries = read(text);
    assert_eq!(entries.len(), 1);
    entries.remove(0)
}

#[test]
fn a_service_gets_the_defaults_of_an_api_server() {
    let entry = one("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}");
    assert_eq!(entry.problems, []);
    let Some(Object::Service(service)) = entry.object else { panic!("no Service") };
    assert_eq!(service.metadata.namespace.as_deref(), Some("default"));
    let text = serde_json::to_value(&*service).expect("serialises");
    assert_eq!(text["spec"]["ports"][0]["targetPort"], 80);
    assert_eq!(text["spec"]["ports"][0]["protocol"], "TCP");
}

#[test]
fn string_data_is_merged_into_the_data_of_a_secret() {
    let entry = one("
apiVersion: v1
kind: Secret
metadata: {name: s}
data:
  a: |
    b2
    xk
  b: a2VwdA==
stringData: {a: new}
");
    let Some(Object::Secret(secret)) = entry.object else { panic!("{:?}", entry.problems) };
    let data = secret.data.as_ref().expect("data");
    assert_eq!(data["a"].0, b"new");
    assert_eq!(data["b"].0, b"kept");
}

#[test]
fn lists_are_expanded_and_typed_ones_name_their_items() {
    let entries = read(
        "
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: a, namespace: ignored}}
- apiVersion: v1
  kind: NamespaceList
  items:
  - metadata: {name: b}
",
    );
    let keys: Vec<_> = entries.iter().map(|e| e.reference.clone().expect("named").key.to_string()).collect();
    assert_eq!(keys, ["/a", "/b"]);
    assert!(entries.iter().all(|e| e.object.is_some()));
}

#[test]
fn a_pod_may_write_quantities_as_numbers() {
    let entry = one("
apiVersion: v1
kind: Pod
metadata: {name: p, creationTimestamp: null}
spec:
  containers:
  - name: c
    image: x
    resources: {limits: {cpu: 1, memory: 1Gi}}
    readinessProbe: {httpGet: {port: http}}
status: {}
");
    assert_eq!(entry.problems, []);
    let Some(Object::Pod(pod)) = entry.object else { panic!("no Pod") };
    let probe = pod.spec.as_ref().and_then(|s| s.containers[0].readiness_probe.as_ref()).expect("a probe");
    assert_eq!((probe.period_seconds, probe.failure_threshold), (Some(10), Some(3)));
}

#[test]
fn what_a_secret_holds_is_in_no_message() {
    for text in [
        "data: {a: 'hunter2 not base64'}",
        "data: {a: [hunter2]}",
        "data: hunter2",
        "stringData: {a: {b: hunter2}}",
        "type: [hunter2]",
        "immutable: hunter2",
        "hunter: 2",
        "type: kubernetes.io/tls\nstringData: {tls.crt: hunter2}",
    ] {
        let entry = one(&format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{text}\n"));
        assert!(entry.object.is_none(), "{text}");
        assert!(!format!("{:?} {:?}", entry.problems, entry.span).contains("hunter2"), "{text}: {:?}", entry.problems);
    }
}

#[test]
fn a_gateway_is_served_without_the_fields_that_are_not_carried() {
    let entry = one("
apiVersion: steadygate.io/v1alpha1
kind: ApplicationGateway
metadata: {name: g}
spec:
  enableHttp2: true
  sku: {name: Standard_v2}
  sslProfiles: []
  httpListeners:
  - {name: l, frontendPort: {name: p}, protocol: Http, frontendIPConfiguration: {name: public}}
  backendHttpSettingsCollection:
  - {name: s, port: 80, protocol: Http, dedicatedBackendConnection: true}
  probes:
  - {name: probe, protocol: Http, path: /, interval: 30, timeout: 30, unhealthyThreshold: 3, minServers: 0}
");
    assert!(matches!(entry.object, Some(Object::ApplicationGateway(_))), "{:?}", entry.problems);
    let problems: Vec<_> = entry.problems.iter().map(|p| (p.reason, p.severity, p.field.as_str())).collect();
    let warning = |field| (Reason::Unsupported, Severity::Warning, field);
    assert_eq!(
        problems,
        [warning("spec.backendHttpSettingsCollection[0].dedicatedBackendConnection"), warning("spec.sku"),]
    );
    let entry = one("{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}], sku: x}}");
    assert!(entry.object.is_none());
}

proptest::proptest! {
    #[test]
    fn no_document_makes_the_reader_panic(
        kind in "(v1|networking.k8s.io/v1|discovery.k8s.io/v1|steadygate.io/v1alpha1), kind: \
                 (Ingress|Service|Secret|EndpointSlice|Pod|ConfigMap|IngressClass|ApplicationGateway|List)",
        fields in "(, (metadata|spec|data|items|addressType|endpoints|ports|status): \
                   (1|null|text|\\[\\]|\\{\\}|\\[\\{\\}\\]|\\{name: é\\}|\\{rules: \\[\\{http: \\{paths: \\[\\{\\}\\]\\}\\}\\]\\}|\
                   \\{ports: \\[\\{port: -1\\}\\]\\}|\\{name: x\\})){0,5}"
    ) {
        for document in yaml::parse_all(format!("{{apiVersion: {kind}{fields}}}").as_bytes()).0 {
            entries(document);
        }
    }
}
