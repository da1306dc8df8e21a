"""manifests/examples: applied as they are, but for the image, every host and path that they name is served."""

from functools import partial
from pathlib import Path

import pytest
import yaml

from client import ask, certificate, unverified
from controller import Release
from kubernetes import Namespace, wait_until
from manifests import backend_deployment, tls_secret

EXAMPLES = {path.stem: path for path in (Path(__file__).parent.parent / "manifests" / "examples").glob("*.yaml")}

# Those that are not for the release that the other tests use, and the release that they are for.
RELEASES = {
    "two-classes": {"ingressClass.controller": "steadygate.io/internal"},
    "from-ingress-nginx": {
        "ingressClass.controller": "steadygate.io/migration",
        "serveControllers": ["k8s.io/ingress-nginx"],
    },
}


def of_kind(kind, objects):
    return [one for one in objects if one["kind"] == kind]


def runnable(text):
    """The objects, with pods of the test backend in place of the image that the examples show."""
    objects = [one for one in yaml.safe_load_all(text) if one]
    for deployment in of_kind("Deployment", objects):
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        [backend] = backend_deployment(container["name"])["spec"]["template"]["spec"]["containers"]
        container.update({field: backend[field] for field in ("image", "args", "env")})
        container["readinessProbe"]["periodSeconds"] = 1
    return objects


def addresses(objects):
    """(host, path, whether over TLS) of all that is to be served; stars have something in their place."""
    for ingress in of_kind("Ingress", objects):
        secured = {host for tls in ingress["spec"].get("tls", []) for host in tls["hosts"]}
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                yield rule["host"].replace("*", "one"), path["path"], rule["host"] in secured
        if alias := ingress["metadata"].get("annotations", {}).get("nginx.ingress.kubernetes.io/server-alias"):
            yield alias, "/", False
    for gateway in of_kind("ApplicationGateway", objects):
        rules = [rule for paths in gateway["spec"].get("urlPathMaps", []) for rule in paths["pathRules"]]
        for listener in gateway["spec"]["httpListeners"]:
            for path in ["/", *(path.removesuffix("*") for rule in rules for path in rule["paths"])]:
                for host in listener["hostNames"]:
                    yield host.replace("*", "one"), path, listener["protocol"] == "Https"


def secrets(objects):
    """(name, host names) of the certificates that the comments say how to make."""
    for ingress in of_kind("Ingress", objects):
        for tls in ingress["spec"].get("tls", []):
            yield tls["secretName"], tls["hosts"]


def is_served(address, host, path, secure):
    over = {"port": 443, "tls": unverified()} if secure else {}
    return ask(address, path, host, **over).status == 200


@pytest.fixture
def serving(request, example):
    """The release that the example is for."""
    if example not in RELEASES:
        yield request.getfixturevalue("controller")
        return
    kubectl = request.getfixturevalue("kubectl")
    release = Release(kubectl, f"for-{example}", replicas=1, **{"ingressClass.create": False, **RELEASES[example]})
    try:
        yield release.install()
    finally:
        release.uninstall()
        kubectl("delete", "namespace", release.namespace.name, "--wait=false")


@pytest.mark.parametrize("example", sorted(EXAMPLES))
def test_an_example_serves_what_it_names(kubectl, serving, example):
    objects = runnable(EXAMPLES[example].read_text())
    [namespace] = [Namespace(one["metadata"]["name"], kubectl) for one in of_kind("Namespace", objects)]
    try:
        kubectl.apply(*objects)
        for name, hosts in secrets(objects):
            namespace.apply(tls_secret(name, *certificate(*hosts)))
        for deployment in of_kind("Deployment", objects):
            namespace.wait_rolled_out(deployment["metadata"]["name"])
        asked = set(addresses(objects))
        assert asked
        for host, path, secure in asked:
            wait_until(partial(is_served, serving.address, host, path, secure))
    finally:
        for kind in ("IngressClass", "Namespace"):
            for one in of_kind(kind, objects):
                kubectl("delete", kind.lower(), one["metadata"]["name"], "--wait=false", "--ignore-not-found")
