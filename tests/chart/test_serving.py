"""How the parts fit together: ports, rollouts, arguments, what the notes say, and a schema that leaves nothing open."""

import json
import os
import re
import subprocess

import pytest
import yaml

from chart import CASES, CHART, REPOSITORY, Refused, helm, objects, of_kind, pod_templates, render

ON_NODES = {"host-ports", "host-network"}


def gateway(found, name="steadygate"):
    [container] = pod_templates(found)[name]["spec"]["containers"]
    return container


@pytest.mark.parametrize("case", CASES)
def test_each_port_leads_to_a_listener_and_none_to_the_admin_port(case):
    found = objects(CASES[case])
    container = gateway(found)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert f"--admin=[::]:{ports.pop('admin')}" in container["args"]
    moved = dict(re.findall(r"--listen=(\d+)=\S+:(\d+)", "\n".join(container["args"])))
    for name, listener in {"http": "80", "https": "443"}.items():
        assert str(ports[name]) == moved.get(listener, listener)
    services = {service["metadata"]["name"]: service["spec"] for service in of_kind("Service", found)}
    assert ("steadygate" in services) == (case not in ON_NODES)
    for name, service in services.items():
        targets = {port["targetPort"] for port in service["ports"]}
        if name == "steadygate":
            assert targets == set(ports)
        else:
            assert targets == {"admin"} and service.get("type", "ClusterIP") == "ClusterIP"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == "admin"


def test_another_port_of_the_service_moves_no_listener():
    """Ingresses are served at 80 and 443, whatever the Service calls them."""
    found = objects("service: {http: {port: 8080}, https: {port: 8443}}")
    [service] = [one for one in of_kind("Service", found) if one["metadata"]["name"] == "steadygate"]
    assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(8080, "http"), (8443, "https")]
    ports = {port["name"]: port["containerPort"] for port in gateway(found)["ports"]}
    assert ports == {"http": 80, "https": 443, "admin": 9180}


@pytest.mark.parametrize("case", CASES)
def test_a_rollout_brings_a_pod_before_it_takes_one_away(case):
    [spec] = [one["spec"] for one in objects(CASES[case]) if one["kind"] in ("Deployment", "DaemonSet")]
    rolling = (spec.get("strategy") or spec["updateStrategy"])["rollingUpdate"]
    # A node has each port once.
    assert rolling == ({"maxUnavailable": 1, "maxSurge": 0} if case in ON_NODES else {"maxUnavailable": 0, "maxSurge": 1})


def test_beside_another_controller_nothing_is_written():
    found = objects("{status: {write: false}, publishAddresses: [192.0.2.1]}")
    assert not of_kind("Lease", found)
    told = [argument.split("=")[0] for argument in gateway(found)["args"]]
    assert "--no-status" in told and not {"--lease", "--publish-service", "--publish-address"} & set(told)


def test_the_lease_that_may_be_updated_is_the_one_that_is_made_and_meant():
    found = objects()
    [lease] = of_kind("Lease", found)
    # Its contents are the pods'.
    assert lease["metadata"]["name"] == "steadygate" and "spec" not in lease
    assert "--lease=$(POD_NAMESPACE)/steadygate" in gateway(found)["args"]


def test_the_test_reaches_the_gateway_through_a_policy():
    found = objects("networkPolicy: {enabled: true}")
    [policy], pods = of_kind("NetworkPolicy", found), pod_templates(found)
    admin = [rule["from"] for rule in policy["spec"]["ingress"] if rule["ports"] == [{"port": "admin"}]]
    assert admin == [[{"podSelector": {"matchLabels": pods["steadygate-test"]["metadata"]["labels"]}}]]


def test_no_argument_that_the_chart_sets_can_be_set_beside_it():
    arguments = {word for case in CASES.values() for word in gateway(objects(case))["args"] if word.startswith("--")}
    flags = {word.split("=")[0] for word in arguments} - {"--api-timeout", "--listen"}
    assert len(flags) > 10
    for flag in sorted(flags | {"--manifests"}):
        with pytest.raises(Refused, match="/extraArgs/0"):
            render(f"extraArgs: ['{flag}=x']")


def test_the_program_knows_every_argument():
    program = os.environ.get("STEADYGATE", REPOSITORY / "target/debug/steadygate")
    known = subprocess.run([program, "run", "--help"], capture_output=True, text=True, check=True).stdout
    for case in CASES.values():
        for word in gateway(objects(case))["args"][1:]:
            assert re.search(rf"(?m)^ +(-\w, )?{word.split('=')[0]}\b", known), word


def test_a_kubernetes_whose_hooks_cannot_sleep_is_refused():
    with pytest.raises(Refused, match="requires kubeVersion"):
        render("{}", "--kube-version", "1.29.9")


def notes(values):
    done = helm("install", "edge", CHART, "--namespace", "edge", "--dry-run=client", "--values", "-", input=values)
    return done.split("NOTES:\n")[1]


@pytest.mark.parametrize("case", CASES)
def test_the_notes_name_what_was_installed(case):
    told = notes(CASES[case])
    assert "edge/edge" in told and "helm test edge --namespace edge" in told
    assert "<no value>" not in told and "%!" not in told and "no address is told" not in told


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ("{kind: DaemonSet, hostPort: {enabled: true}}", "no address is told in status"),
        ("{}", "can read the configuration"),
        ("{networkPolicy: {enabled: true}, metrics: {enabled: true}}", "nobody may scrape"),
        ("replicas: 1", "less than two replicas"),
        ("serveControllers: [k8s.io/ingress-nginx]", "Stop those controllers"),
        ("serviceAccount: {automount: false}", "no token"),
    ],
)
def test_the_notes_warn_of_what_would_surprise(values, warning):
    assert warning in notes(values)


def test_the_schema_is_strict_and_explains_every_value():
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def visit(node, default, path):
        if "$ref" in node:
            node = {**schema["$defs"][node["$ref"].removeprefix("#/$defs/")], **node}
        children = {name: child for name, child in node.get("properties", {}).items() if child is not False}
        if children:
            assert node["additionalProperties"] is False, path
        known = isinstance(default, dict) and default.keys() <= children.keys() and bool(default)
        assert not path or known or node.get("description"), path
        for name, child in children.items() if known else ():
            assert name in default or name in ("global", "claims"), f"{path}.{name} is not in values.yaml"
            visit(child, default.get(name), f"{path}.{name}")

    schema["properties"].pop("resources")
    values.pop("resources")
    visit(schema, values, "")
