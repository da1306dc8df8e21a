"""manifests/examples: what can be told of them without a cluster. That they are served is end-to-end tests' to show."""

import os
import re
import shutil
import subprocess

import pytest
import yaml

from chart import ROOT

FOLDER = ROOT / "manifests" / "examples"
FILES = sorted(FOLDER.glob("*.yaml"))
OWN_CLASS = """\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: steadygate}
spec: {controller: steadygate.io/ingress-controller}
"""


def objects(path):
    return list(yaml.safe_load_all(path.read_text()))


def of_kind(found, kind):
    return [one for one in found if one["kind"] == kind]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_stands_for_itself(path):
    """In a namespace of its own, which it makes; with all that it refers to, but certificates."""
    found = objects(path)
    assert path.read_text().startswith("# "), "begins with what it teaches"
    namespace = found[0]["metadata"]["name"]
    assert found[0]["kind"] == "Namespace" and namespace.startswith("example-")
    for one in found[1:]:
        assert one["metadata"].get("namespace") == (None if one["kind"] == "IngressClass" else namespace)
    labels = [deployment["spec"]["template"]["metadata"]["labels"] for deployment in of_kind(found, "Deployment")]
    for service in of_kind(found, "Service"):
        assert service["spec"]["selector"] in labels
    services = {service["metadata"]["name"] for service in of_kind(found, "Service")}
    assert set(re.findall(r"service: \{name: (\S+?),|serviceRef: \{name: (\S+?),", path.read_text())) <= {
        pair for service in services for pair in ((service, ""), ("", service))
    }


def test_none_takes_anothers_host_or_name():
    hosts, names = [], []
    for path in FILES:
        for one in objects(path):
            names.append((one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]))
            spec = one.get("spec", {})
            hosts += [rule["host"] for rule in spec.get("rules", [])] if one["kind"] == "Ingress" else []
            hosts += [host for listener in spec.get("httpListeners", []) for host in listener["hostNames"]]
    assert len(names) == len(set(names))
    assert len(hosts) == len(set(hosts)) and all(host.endswith(".example.com") for host in hosts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pods_are_restricted_and_their_image_is_one_line(path):
    images = set(re.findall(r"(?m)^ +image: (\S+)$", path.read_text()))
    assert images == {"docker.io/jmalloc/echo-server:0.3.6"}
    for deployment in of_kind(objects(path), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
            assert "args" not in container and "command" not in container


def test_the_list_of_examples_is_complete():
    assert set(re.findall(r"\]\((\S+\.yaml)\)", (FOLDER / "README.md").read_text())) == {path.name for path in FILES}


def test_steadygate_has_nothing_against_them(tmp_path):
    """But that there is no certificate, no pod, and an annotation that an example has in order to show this."""
    steadygate = os.environ.get("STEADYGATE")
    if not steadygate:
        pytest.skip("STEADYGATE names no program")
    for path in FILES:
        shutil.copy(path, tmp_path)
    (tmp_path / "class.yaml").write_text(OWN_CLASS)
    served = [f"--serve-controller={name}" for name in ("k8s.io/ingress-nginx", "azure/application-gateway")]
    done = subprocess.run([steadygate, "check", tmp_path, *served], capture_output=True, text=True)
    told = set(re.findall(r"(?m)^(?:error|warning)\[(\w+)\]: (?:\w+ )(\S+):", done.stdout + done.stderr))
    told -= {(reason, where) for reason, where in told if reason == "NoEndpoints"}
    assert told == {
        ("SecretNotFound", "example-tls/app"),
        ("InvalidCertificate", "example-tls/app"),
        ("Unsupported", "example-migrating/from-nginx"),
    }
