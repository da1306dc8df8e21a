"""What the chart renders, what it refuses, and what is generated from it. BLESS=1 rewrites the goldens and the generated."""

import os
import re
import shutil
import subprocess

import pytest
import yaml

import chart
from chart import CASES, CHART, GOLDEN, ROOT, helm, held_to, objects, template, text

NAMES = sorted(path.name.removesuffix(".values.yaml") for path in CASES.glob("*.values.yaml"))
# Cases that need a namespace of level `privileged`, and all that they may have beyond `restricted`.
ON_NODES = {"daemonset-host-port": {"hostPort"}, "host-network": {"hostPort", "hostNetwork"}}


def case(name):
    return objects(CASES / f"{name}.values.yaml")


def of_kind(found, kind):
    return [one for one in found if one["kind"] == kind]


def workload(found):
    (one,) = [one for one in found if one["kind"] in ("Deployment", "DaemonSet")]
    return one


def gateway(found):
    """The pod and its container."""
    pod = workload(found)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


# --- Renderings --------------------------------------------------------------------------------------------------


def test_lint():
    done = helm("lint", "--strict", CHART)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_golden(name):
    held_to(GOLDEN / f"{name}.yaml", text(CASES / f"{name}.values.yaml"))


def test_every_golden_is_of_a_case():
    assert sorted(path.stem for path in GOLDEN.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_notes_name_what_was_installed(name):
    done = helm("install", "edge", CHART, "--namespace", "edge", "--dry-run=client", "--values", CASES / f"{name}.values.yaml")
    notes = done.stdout.split("NOTES:\n")[1]
    assert "edge/edge" in notes and "helm test edge --namespace edge" in notes
    assert "<no value>" not in notes and "%!" not in notes


def test_notes_warn_of_what_would_surprise():
    def notes(**values):
        file = yaml.safe_dump(values)
        done = helm("install", "edge", CHART, "--namespace", "edge", "--dry-run=client", "--values", "-", input=file)
        return done.stdout.split("NOTES:\n")[1]

    assert "Set publishAddresses" in notes(kind="DaemonSet", hostPort={"enabled": True})
    assert "can read the configuration" in notes()
    assert "can read the configuration" not in notes(networkPolicy={"enabled": True})
    assert "nobody may scrape" in notes(networkPolicy={"enabled": True}, metrics={"enabled": True})
    assert "less than two replicas" in notes(replicas=1)
    assert "Stop those controllers" in notes(serveControllers=["k8s.io/ingress-nginx"])


# --- Pods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_pod_is_restricted(name):
    """Pod Security's level `restricted`, and a root file system that nobody writes to."""
    found = case(name)
    for pod in [workload(found)["spec"]["template"]["spec"], *(pod["spec"] for pod in of_kind(found, "Pod"))]:
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] == 65532 and context["runAsGroup"] == 65532
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {one["name"] for one in context.get("sysctls", [])} <= {"net.ipv4.ip_unprivileged_port_start"}
        beyond = {field for field in ("hostNetwork", "hostPID", "hostIPC") if field in pod}
        assert "initContainers" not in pod
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            beyond |= {"hostPort" for port in container.get("ports", []) if "hostPort" in port}
        assert beyond <= ON_NODES.get(name, set())
        for volume in pod.get("volumes", []):
            assert "hostPath" not in volume


@pytest.mark.parametrize("name", NAMES)
def test_ports_fit_together(name):
    """Each port of the Service leads to a listener, none to the admin port; the probes ask the admin port."""
    found = case(name)
    _, container = gateway(found)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    admin = ports.pop("admin")
    assert f"--admin=[::]:{admin}" in container["args"]
    moved = dict(re.findall(r"--listen=(\d+)=\S+:(\d+)", "\n".join(container["args"])))
    for port, listener in {"http": "80", "https": "443"}.items():
        if port in ports:
            assert str(ports[port]) == moved.get(listener, listener)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == "admin"
    for service in of_kind(found, "Service"):
        targets = {port["targetPort"] for port in service["spec"]["ports"]}
        if service["metadata"]["name"] == "edge":
            assert targets == set(ports)
        else:
            assert targets == {"admin"} and service["spec"].get("type", "ClusterIP") == "ClusterIP"
    assert bool([s for s in of_kind(found, "Service") if s["metadata"]["name"] == "edge"]) == (name not in ON_NODES)


def test_the_image_by_tag_and_by_digest():
    image = lambda **values: gateway(objects({"image": values}))[1]["image"]  # noqa: E731
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert image() == f"steadygate:{version}"
    assert image(repository="r.example/s", tag="2") == "r.example/s:2"
    assert image(repository="r.example/s", tag="2", digest="sha256:" + "0" * 64) == "r.example/s@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, 80),
        ({"drainTimeout": 300, "preStopSeconds": 20}, 330),
        ({"preStopSeconds": 0}, 70),
        ({"terminationGracePeriodSeconds": 80}, 80),
        ({"terminationGracePeriodSeconds": 3600}, 3600),
        ({"terminationGracePeriodSeconds": 79}, "terminationGracePeriodSeconds is 79, but preStopSeconds (10), drainTimeout (60) and 10 to spare need 80"),
        ({"terminationGracePeriodSeconds": 80, "drainTimeout": 120}, "need 140"),
    ],
)
def test_the_grace_period_holds_the_drain(values, expected):
    if isinstance(expected, str):
        done = template(values)
        assert done.returncode != 0 and expected in done.stderr
        return
    pod, container = gateway(objects(values))
    assert pod["terminationGracePeriodSeconds"] == expected
    assert f"--drain-timeout={values.get('drainTimeout', 60)}" in container["args"]
    sleep = values.get("preStopSeconds", 10)
    assert container.get("lifecycle") == ({"preStop": {"sleep": {"seconds": sleep}}} if sleep else None)


def test_an_upgrade_that_is_not_about_pods_leaves_them(tmp_path):
    other = tmp_path / "steadygate"
    shutil.copytree(CHART, other)
    about = (other / "Chart.yaml").read_text()
    (other / "Chart.yaml").write_text(re.sub(r"(?m)^version: .*$", "version: 9.9.9", about))
    changed = {
        "podDisruptionBudget": {"maxUnavailable": 2},
        "labels": {"team": "edge"},
        "metrics": {"enabled": True},
        "networkPolicy": {"enabled": True},
        "service": {"annotations": {"a": "b"}},
    }
    before, after = (workload(found)["spec"] for found in (objects(), objects(changed, chart=other)))
    assert before == after


def test_a_rollout_brings_a_pod_before_it_takes_one_away():
    rolling = lambda name, field: workload(case(name))["spec"][field]["rollingUpdate"]  # noqa: E731
    assert rolling("defaults", "strategy") == {"maxUnavailable": 0, "maxSurge": 1}
    # A node has each port once.
    assert rolling("daemonset-host-port", "updateStrategy") == {"maxUnavailable": 1, "maxSurge": 0}


# --- Several releases --------------------------------------------------------------------------------------------


def test_two_releases_never_meet():
    second = {"ingressClass": {"name": "second", "controller": "steadygate.io/second"}}

    def made(release, namespace, values=None):
        found = objects(values, release=release, namespace=namespace)
        return {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in found}

    for (one, of_one), (other, of_other) in [
        (("edge", "a"), ("edge", "b")),
        (("edge", "a"), ("inner", "a")),
        (("c", "a-b"), ("b-c", "a")),
        (("e" * 52 + "1", "a"), ("e" * 52 + "2", "a")),
    ]:
        assert not made(one, of_one) & made(other, of_other, second)
    # By default they have the class in common, and helm refuses the second.
    assert made("edge", "a") & made("edge", "b") == {("IngressClass", None, "steadygate")}
    # No selector of the one finds a pod of the other.
    selectors = [workload(objects(release=release))["spec"]["selector"]["matchLabels"] for release in ("edge", "inner")]
    assert selectors[0] != selectors[1]


def test_all_that_has_a_namespace_names_it():
    for name in NAMES:
        for one in case(name):
            cluster_wide = one["kind"] in ("IngressClass", "ClusterRole", "ClusterRoleBinding")
            assert ("namespace" in one["metadata"]) != cluster_wide, (name, one["kind"])


# --- Rights ------------------------------------------------------------------------------------------------------

# (resource, verbs, names)
SERVED = {
    ("services", "list watch", ""),
    ("pods", "list watch", ""),
    ("endpointslices.discovery.k8s.io", "list watch", ""),
    ("secrets", "get list watch", ""),
    ("configmaps", "get list watch", ""),
    ("ingresses.networking.k8s.io", "list watch", ""),
    ("applicationgateways.steadygate.io", "list watch", ""),
    ("ingresses.networking.k8s.io/status", "patch", ""),
    ("applicationgateways.steadygate.io/status", "patch", ""),
    ("events.events.k8s.io", "create", ""),
}
CLASSES = {("ingressclasses.networking.k8s.io", "list watch", "")}
LEASE = {("leases.coordination.k8s.io", "get update", "edge")}
OWN_SERVICE = {("services", "list watch", "edge")}


def rights(found):
    """(kind of role, namespace) -> what it grants, for each role; all bound to the pods' account and to it alone."""
    pod, _ = gateway(found)
    granted = {}
    for role in of_kind(found, "Role") + of_kind(found, "ClusterRole"):
        where = role["metadata"].get("namespace", "")
        bindings = [
            binding
            for binding in of_kind(found, f"{role['kind']}Binding")
            if binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": role["metadata"]["name"]}
            and binding["metadata"].get("namespace", "") == where
        ]
        assert [binding["subjects"] for binding in bindings] == [
            [{"kind": "ServiceAccount", "name": pod["serviceAccountName"], "namespace": "edge"}]
        ]
        for rule in role["rules"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    kind, _, part = resource.partition("/")
                    full = kind + (f".{group}" if group else "") + (f"/{part}" if part else "")
                    right = (full, " ".join(sorted(rule["verbs"])), " ".join(rule.get("resourceNames", [])))
                    assert "*" not in "".join(right), right
                    granted.setdefault((role["kind"], where), set()).add(right)
    assert len(of_kind(found, "RoleBinding")) == len(of_kind(found, "Role"))
    assert len(of_kind(found, "ClusterRoleBinding")) == len(of_kind(found, "ClusterRole"))
    return granted


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("defaults", {("ClusterRole", ""): SERVED | CLASSES, ("Role", "edge"): LEASE}),
        ("daemonset-host-port", {("ClusterRole", ""): SERVED | CLASSES, ("Role", "edge"): LEASE}),
        ("production", {("ClusterRole", ""): SERVED | CLASSES, ("Role", "edge"): LEASE}),
        (
            "limited",
            {
                ("ClusterRole", ""): CLASSES,
                ("Role", "shop"): SERVED,
                ("Role", "blog"): SERVED,
                ("Role", "edge"): LEASE | OWN_SERVICE,
            },
        ),
        ("limited-own", {("ClusterRole", ""): CLASSES, ("Role", "shop"): SERVED, ("Role", "edge"): SERVED | LEASE}),
    ],
)
def test_rights_are_exactly_these(name, expected):
    assert rights(case(name)) == expected


def test_the_readme_tells_of_each_right():
    readme = (CHART / "README.md").read_text().split("## Rights")[1].split("\n## ")[0]
    rows = re.findall(r"(?m)^\| (`.*?) \| (.*?) \| (.*?) \|", readme)
    told = {
        (resource, " ".join(sorted(verbs.split(", "))))
        for resources, verbs, _ in rows
        for resource in re.findall(r"`([^`]+)`", resources)
    }
    assert told == {(resource, verbs) for resource, verbs, _ in SERVED | CLASSES | LEASE | OWN_SERVICE}


def test_the_lease_that_may_be_updated_is_the_one_that_is_made_and_meant():
    found = case("defaults")
    (lease,) = of_kind(found, "Lease")
    _, container = gateway(found)
    assert lease["metadata"]["name"] == "edge" and "spec" not in lease
    assert "--lease=$(POD_NAMESPACE)/edge" in container["args"]
    assert "--publish-service=$(POD_NAMESPACE)/edge" in container["args"]


# --- Values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replica": 3}, "additional properties 'replica' not allowed"),
        ({"kind": "StatefulSet"}, "at '/kind'"),
        ({"replicas": "2"}, "at '/replicas': got string, want integer"),
        ({"image": {"digest": "sha256:1"}}, "at '/image/digest'"),
        ({"image": {"pullPolicy": "Sometimes"}}, "at '/image/pullPolicy'"),
        ({"image": {"pullSecrets": ["registry"]}}, "at '/image/pullSecrets/0'"),
        ({"ingressClass": {"controller": "steadygate"}}, "at '/ingressClass/controller'"),
        ({"ingressClass": {"name": "Mine"}}, "at '/ingressClass/name'"),
        ({"serveControllers": ["nginx"]}, "at '/serveControllers/0'"),
        ({"watchNamespaces": ["a", "a"]}, "at '/watchNamespaces'"),
        ({"drainTimeout": 0}, "at '/drainTimeout'"),
        ({"drainTimeout": "60s"}, "at '/drainTimeout'"),
        ({"trustedProxies": ["10.0.0.1"]}, "at '/trustedProxies/0'"),
        ({"trustedProxies": ["10.0.0.0/33"]}, "at '/trustedProxies/0'"),
        ({"log": {"format": "xml"}}, "at '/log/format'"),
        ({"extraArgs": ["debug"]}, "at '/extraArgs/0'"),
        ({"extraEnv": [{"name": "POD_NAME", "value": "x"}]}, "at '/extraEnv/0/name'"),
        ({"service": {"type": "ExternalName"}}, "at '/service/type'"),
        ({"service": {"spec": {"selector": {"a": "b"}}}}, "additional properties 'selector' not allowed"),
        ({"service": {"extraPorts": [{"name": "admin", "port": 8443}]}}, "at '/service/extraPorts/0/name'"),
        ({"service": {"http": {"port": 70000}}}, "at '/service/http/port'"),
        ({"podDisruptionBudget": {"maxUnavailable": 0}}, "at '/podDisruptionBudget/maxUnavailable'"),
        ({"podLabels": {"app.kubernetes.io/name": "x"}}, "at '/podLabels/app.kubernetes.io~1name'"),
        ({"labels": {"helm.sh/chart": "x"}}, "at '/labels/helm.sh~1chart'"),
        ({"networkPolicy": {"adminFrom": [{}]}}, "at '/networkPolicy/adminFrom/0'"),
        ({"resources": {"cpu": "1"}}, "additional properties 'cpu' not allowed"),
        # Values that are well each for itself.
        ({"kind": "DaemonSet", "autoscaling": {"enabled": True}}, "autoscaling.enabled needs kind: Deployment"),
        ({"autoscaling": {"enabled": True, "minReplicas": 20}}, "autoscaling.minReplicas (20) is more than"),
        ({"metrics": {"serviceMonitor": {"enabled": True}}}, "metrics.serviceMonitor.enabled needs metrics.enabled"),
        ({"hostPort": {"enabled": True}, "hostNetwork": {"enabled": True}}, "exclude each other"),
        ({"hostNetwork": {"enabled": True}, "networkPolicy": {"enabled": True}}, "networkPolicy.enabled does nothing with"),
        ({"hostNetwork": {"enabled": True, "portOffset": 65000}, "service": {"extraPorts": [{"name": "a", "port": 600}]}}, "which is no port"),
        ({"service": {"http": {"enabled": False}, "https": {"enabled": False}}}, "leave no port at all"),
        ({"service": {"extraPorts": [{"name": "alt", "port": 9180}]}}, "need port 9180 of the pod"),
        ({"service": {"extraPorts": [{"name": "alt", "port": 80}]}}, "need port 80 of the pod"),
        ({"service": {"type": "ClusterIP", "externalTrafficPolicy": "Local"}}, "service.externalTrafficPolicy is for"),
        ({"service": {"type": "ClusterIP", "http": {"nodePort": 30080}}}, "a nodePort (30080) needs"),
        ({"serviceAccount": {"create": False}}, "serviceAccount.name must name one"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_work_is_refused_with_a_reason(values, message):
    done = template(values)
    assert done.returncode != 0
    assert message in done.stderr


def test_a_kubernetes_without_sleeping_hooks_is_refused():
    done = template({}, "--kube-version", "1.29.9")
    assert done.returncode != 0 and "requires kubeVersion: >=1.30.0-0" in done.stderr


def test_no_argument_that_the_chart_sets_can_be_set_beside_it():
    flags = {argument.split("=")[0] for name in NAMES for argument in gateway(case(name))[1]["args"] if argument[:2] == "--"}
    flags -= {"--api-timeout", "--listen"}
    assert len(flags) > 10
    for flag in sorted(flags | {"--manifests"}):
        done = template({"extraArgs": [f"{flag}=x"]})
        assert "at '/extraArgs/0'" in done.stderr, flag


def test_the_program_knows_every_argument():
    steadygate = os.environ.get("STEADYGATE")
    if not steadygate:
        pytest.skip("STEADYGATE names no program")
    known = subprocess.run([steadygate, "run", "--help"], capture_output=True, text=True, check=True).stdout
    probe = subprocess.run([steadygate, "probe", "--help"], capture_output=True, text=True, check=True).stdout
    for name in NAMES:
        found = case(name)
        for argument in gateway(found)[1]["args"]:
            assert argument == "run" or re.search(rf"(?m)^ +(-\w, )?{argument.split('=')[0]}\b", known), argument
        for pod in of_kind(found, "Pod"):
            assert pod["spec"]["containers"][0]["args"][0] == "probe" and "--timeout" in probe


def test_the_schema_is_strict_and_explains_every_value():
    whole = chart.schema()
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def visit(node, path):
        node = chart.resolved(node, whole)
        children = {name: child for name, child in node.get("properties", {}).items() if child is not False}
        for name, child in children.items():
            visit(child, (*path, name))
        if children:
            assert node["additionalProperties"] is False, path

    visit(whole, ())
    for path, node in chart.leaves(whole, whole):
        assert node.get("description"), path
    told = {path for path, _ in chart.leaves(whole, whole)} - {("global",)}
    known = set()

    def collect(value, path):
        if path in told or not isinstance(value, dict):
            known.add(path)
            return
        for name, child in value.items():
            collect(child, (*path, name))

    collect(values, ())
    assert known == told


# --- What is generated -------------------------------------------------------------------------------------------


def test_the_readme_has_every_value():
    path = CHART / "README.md"
    before = path.read_text().split("## Values\n")[0]
    held_to(path, f"{before}## Values\n\n{chart.values_table()}\n")


def test_install_yaml_is_the_chart():
    held_to(ROOT / "manifests" / "install.yaml", chart.install_manifest())


def test_the_definitions_are_the_programs():
    ours, theirs = ({path.name: path.read_text() for path in folder.iterdir()} for folder in (ROOT / "crds", CHART / "crds"))
    if chart.BLESS:
        for name, content in ours.items():
            (CHART / "crds" / name).write_text(content)
    assert chart.BLESS or ours == theirs, "charts/steadygate/crds is out of date; BLESS=1 copies it"


def test_the_chart_has_the_programs_version():
    version = re.search(r'(?m)^version = "(.*)"', (ROOT / "Cargo.toml").read_text())[1]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version
