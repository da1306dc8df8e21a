"""Gateway API in a real cluster: its definitions may come late, what is written to status is complete, and what others wrote stays."""

import json
import subprocess
from pathlib import Path

import pytest

import objects
from gateway import BINARY, wait_for
from replicas import ADDRESS, leads, replica, settled, steady

MERGE = "application/merge-patch+json"
GROUP = "gateway.networking.k8s.io"
CONTROLLER = "steadygate.io/gateway-controller"
# The definitions are those of the module of Gateway API, which these tests install.
MODULE = "sigs.k8s.io/gateway-api@v1.6.3"
KINDS = ("gatewayclasses", "gateways", "httproutes", "referencegrants")
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
__all__ = ["replica"]


@pytest.fixture(scope="module")
def definitions():
    """The text of each definition, by its kind."""
    command = ["go", "mod", "download", "-json", MODULE]
    module = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout)
    directory = Path(module["Dir"]) / "config/crd/standard"
    return {kind: (directory / f"{GROUP}_{kind}.yaml").read_text() for kind in KINDS}


def define(api, definitions):
    for kind, text in definitions.items():
        if api.request("GET", f"{DEFINITIONS}/{kind}.{GROUP}")[0] == 404:
            api.json("POST", DEFINITIONS, text, content_type="application/yaml")
    for kind in definitions:
        version = "v1beta1" if kind == "referencegrants" else "v1"
        known = lambda: api.request("GET", f"/apis/{GROUP}/{version}/{kind}")[0] == 200  # noqa: B023, E731
        wait_for(known, f"{kind} are defined", 30)


@pytest.fixture
def gateway_api(api, definitions):
    define(api, definitions)
    api.apply(objects.gateway_class("steadygate", CONTROLLER), objects.gateway_class("foreign", "example.com/other"))


@pytest.fixture
def leader(replica):
    started = replica("--gateway-api")
    wait_for(lambda: leads(started), "it leads", 5)
    return started


def path(kind, namespace, name):
    return f"/apis/{GROUP}/v1/namespaces/{namespace}/{kind}/{name}"


def conditions(entry):
    """Status and reason of each condition; all are about the newest generation."""
    found = {each["type"]: (each["status"], each["reason"]) for each in entry.get("conditions", [])}
    return found, {each.get("observedGeneration") for each in entry.get("conditions", [])}


def test_definitions_that_come_late_are_picked_up(api, replica, site, definitions):
    for kind in KINDS:
        api.request("DELETE", f"{DEFINITIONS}/{kind}.{GROUP}")
        gone = lambda: api.request("GET", f"{DEFINITIONS}/{kind}.{GROUP}")[0] == 404  # noqa: B023, E731
        wait_for(gone, f"{kind} are not defined", 30)
    started = replica("--gateway-api")
    assert started.serves_within(5, site.host), "all else is served"
    define(api, definitions)
    host = f"route.{site.host}"
    api.apply(
        objects.gateway_class("steadygate", CONTROLLER),
        objects.gateway(site.namespace, "edge", host),
        objects.http_route(site.namespace, "route", "edge", host),
    )
    assert started.serves_within(15, host)


def test_status_says_what_is_served_and_why_the_rest_is_not(api, gateway_api, site, leader):
    host = f"route.{site.host}"
    api.apply(
        objects.gateway(site.namespace, "edge", host),
        objects.gateway(site.namespace, "theirs", f"theirs.{host}", gateway_class="foreign"),
        objects.http_route(site.namespace, "good", "edge", host),
        objects.http_route(site.namespace, "misdirected", "edge", host, to="missing"),
        objects.http_route(site.namespace, "elsewhere", "edge", "other.test"),
        objects.http_route(site.namespace, "theirs", "theirs", f"theirs.{host}"),
    )
    assert leader.serves_within(5, host)
    settled(leader)

    status = api.json("GET", f"/apis/{GROUP}/v1/gatewayclasses/steadygate")["status"]
    assert conditions(status)[0] == {"Accepted": ("True", "Accepted")}
    names = [feature["name"] for feature in status["supportedFeatures"]]
    assert names == sorted(names) and "HTTPRoute" in names

    gateway = api.json("GET", path("gateways", site.namespace, "edge"))
    status, generation = gateway["status"], gateway["metadata"]["generation"]
    assert status["addresses"] == [{"type": "IPAddress", "value": ADDRESS}]
    expected = {"Accepted": ("True", "Accepted"), "Programmed": ("True", "Programmed")}
    assert conditions(status) == (expected, {generation})
    [listener] = status["listeners"]
    assert listener["attachedRoutes"] == 2
    assert listener["supportedKinds"] == [{"group": GROUP, "kind": "HTTPRoute"}]
    assert conditions(listener) == (
        expected | {"ResolvedRefs": ("True", "ResolvedRefs"), "Conflicted": ("False", "NoConflicts")},
        {generation},
    )

    for name, accepted, resolved in [
        ("good", ("True", "Accepted"), ("True", "ResolvedRefs")),
        ("misdirected", ("True", "Accepted"), ("False", "BackendNotFound")),
        ("elsewhere", ("False", "NoMatchingListenerHostname"), ("True", "ResolvedRefs")),
    ]:
        route = api.json("GET", path("httproutes", site.namespace, name))
        [parent] = route["status"]["parents"]
        assert parent["controllerName"] == CONTROLLER
        found = conditions(parent)
        assert found == ({"Accepted": accepted, "ResolvedRefs": resolved}, {route["metadata"]["generation"]}), name
    for kind in ("gateways", "httproutes"):
        status = api.json("GET", path(kind, site.namespace, "theirs")).get("status", {})
        written = status.get("parents") or [each for each in status.get("conditions", []) if each["status"] != "Unknown"]
        assert not written, "those of other classes are never touched"
    settled(leader)
    assert steady(leader, 3), "nothing is written twice"


def test_what_others_say_of_a_route_stays(api, gateway_api, site, leader):
    host = f"route.{site.host}"
    api.apply(objects.gateway(site.namespace, "edge", host), objects.http_route(site.namespace, "route", "edge", host))
    assert leader.serves_within(5, host)
    settled(leader)
    where = path("httproutes", site.namespace, "route")
    route = api.json("GET", where)
    foreign = {
        "parentRef": {"group": GROUP, "kind": "Gateway", "name": "another"},
        "controllerName": "example.com/other",
        "conditions": [
            {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "theirs",
             "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ],
    }  # fmt: skip
    parents = [foreign, *route["status"]["parents"]]
    api.json("PATCH", f"{where}/status", {"status": {"parents": parents}}, content_type=MERGE)
    api.json("PATCH", where, {"spec": {"hostnames": ["nowhere.test"]}}, content_type=MERGE)

    def is_told():
        entries = api.json("GET", where)["status"]["parents"]
        return any(conditions(entry)[0].get("Accepted") == ("False", "NoMatchingListenerHostname") for entry in entries)

    wait_for(is_told, "the change is told", 10)
    assert foreign in api.json("GET", where)["status"]["parents"]
    api.json("PATCH", where, {"spec": {"parentRefs": [{"name": "another"}]}}, content_type=MERGE)
    wait_for(lambda: api.json("GET", where)["status"]["parents"] == [foreign], "only theirs is left", 10)


def sample(schema):
    """A value with every field of a schema."""
    if "properties" in schema:
        return {name: sample(part) for name, part in schema["properties"].items()}
    if "items" in schema:
        return [sample(schema["items"])]
    if "additionalProperties" in schema:
        return {"a": "a"}
    if schema.get("type") in ("integer", "number"):
        return max(schema.get("minimum", 1), 1)
    if schema.get("type") == "boolean":
        return True
    if schema.get("format") == "date-time":
        return "2026-01-01T00:00:00Z"
    return schema.get("enum", ["a" * schema.get("minLength", 1)])[0]


@pytest.mark.parametrize("kind", ["gatewayclasses", "gateways", "httproutes"])
def test_every_field_of_the_definitions_is_known(api, gateway_api, tmp_path, kind):
    names = api.json("GET", f"{DEFINITIONS}/{kind}.{GROUP}")["spec"]
    [version] = [version for version in names["versions"] if version["name"] == "v1"]
    parts = version["schema"]["openAPIV3Schema"]["properties"]
    entry = {"apiVersion": f"{GROUP}/v1", "kind": names["names"]["kind"], "metadata": {"name": "a"}}
    entry |= {part: sample(parts[part]) for part in ("spec", "status")}
    (tmp_path / "entry.json").write_text(json.dumps(entry))
    command = [BINARY, "check", str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True)
    assert "InvalidObject" not in told.stdout + told.stderr, told.stdout + told.stderr
