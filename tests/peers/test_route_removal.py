"""A session is closed when its route is removed, unless what takes its requests over leads to the same member."""

import time
from dataclasses import dataclass

import pytest

from gateway import wait_for
from manifests import ingress, service
from metrics import Metrics

SPREAD = 6
GRACE = 5
REMOVED = (1001, "route removed", "end")


@pytest.fixture
def backend(gateway, crowd_backend):
    backend = crowd_backend()
    gateway.write("services.json", *service("echo", backend.port), *service("other", crowd_backend().port))
    return backend


@pytest.fixture
def clients(gateway, crowd, backend):
    """`clients(paths, annotations)`: the sessions of an Ingress `chat`, by path. One of another Ingress must never notice."""
    gateway.write("stays.json", ingress("stays", {"/": "echo"}, host="stays.example"))
    others = []

    def start(paths, count=20, **annotations):
        named = {f"steadygate.io/websocket-{name.replace('_', '-')}": str(value) for name, value in annotations.items()}
        if paths:
            gateway.write("chat.json", ingress("chat", paths, host="localhost", annotations=named))
        gateway.start("--log-format", "json")
        others.extend(crowd.open(gateway.http, host="stays.example"))
        opened = [crowd.open(gateway.http, count, path=path) for path in paths]
        everyone = sum(opened, others)
        assert crowd.echo(everyone) == len(everyone)
        return opened

    yield start
    assert crowd.echo(others) == 1


def removed(gateway, clients):
    """Waits until all are closed for that reason, as client, log and backend say; gives the moments, from the first."""
    wait_for(lambda: all(client.end for client in clients), "they are closed", timeout=30)
    assert {(client.close, client.reason, client.end) for client in clients} == {REMOVED}
    wait_for(lambda: len(gateway.entries("session closed")) == len(clients), "it is logged")
    assert {(entry["cause"], entry["code"]) for entry in gateway.entries("session closed")} == {("route_removed", 1001)}
    moments = sorted(client.closed_at for client in clients)
    return [moment - moments[0] for moment in moments]


def test_a_path(gateway, crowd, backend, clients):
    goes, other = clients({"/a": "echo", "/b": "echo"})
    gateway.apply("chat.json", ingress("chat", {"/b": "echo"}, host="localhost"))
    assert removed(gateway, goes)[-1] < 4, "a few need no window"
    assert crowd.echo(other) == len(other)
    assert backend.seen()["close"] == {"1001 route removed": len(goes)}
    # Metrics of an object go when it and its sessions are gone; this one still has a route.
    metrics = Metrics(gateway.admin_text("/metrics"))
    assert metrics.of("websocket_sessions_ended_total", object="Ingress default/chat", cause="route_removed") == len(goes)


def test_over_the_time_that_the_route_gives(gateway, crowd, clients):
    (goes,) = clients({"/": "echo"}, 40, drain_timeout=SPREAD)
    (gateway.manifests / "chat.json").unlink()
    moments = removed(gateway, goes)
    assert SPREAD * 0.75 < moments[-1] < SPREAD + 2
    gaps = [after - before for before, after in zip(moments, moments[1:])]
    assert max(gaps) < SPREAD / 4, "evenly"
    assert sum(moment < SPREAD / 2 for moment in moments) == pytest.approx(20, abs=9)


def test_a_host(gateway, crowd, clients):
    (goes,) = clients({"/": "echo"})
    gateway.apply("chat.json", ingress("chat", {"/": "echo"}, host="new.example"))
    removed(gateway, goes)


def test_a_listener(gateway, crowd, crowd_backend, clients):
    (others,) = clients({"/": "echo"})
    settings = {"name": "settings", "port": crowd_backend().port, "protocol": "Http"}
    spec = {
        "frontendPorts": [{"name": "front", "port": 443}],
        "httpListeners": [{"name": "plain", "frontendPort": {"name": "front"}, "protocol": "Http"}],
        "backendAddressPools": [{"name": "servers", "backendAddresses": [{"ipAddress": "127.0.0.1"}]}],
        "backendHttpSettingsCollection": [settings],
        "requestRoutingRules": [
            {
                "name": "rule", "ruleType": "Basic", "priority": 10, "httpListener": {"name": "plain"},
                "backendAddressPool": {"name": "servers"}, "backendHttpSettings": {"name": "settings"},
            }
        ],
    }  # fmt: skip
    metadata = {"name": "front", "namespace": "default"}
    listener = {"apiVersion": "steadygate.io/v1alpha1", "kind": "ApplicationGateway", "metadata": metadata, "spec": spec}
    gateway.apply("listener.json", listener)
    wait_for(lambda: "port=443" in gateway.log() or '"port":443' in gateway.log(), "the port is open")
    goes = crowd.open(gateway.https, 20)
    assert crowd.echo(goes) == 20
    (gateway.manifests / "listener.json").unlink()
    removed(gateway, goes)
    assert crowd.echo(others) == len(others)


@dataclass
class Change:
    """An Ingress for a host of its own: name and paths before, and after."""

    host: str
    before: tuple
    after: tuple

    def write(self, gateway, name, paths):
        gateway.apply(f"{self.host}.json", ingress(name, paths, host=self.host))


TAKEN_OVER = [
    Change("renamed.example", before=("chat", {"/": "echo"}), after=("talk", {"/": "echo"})),
    Change("wider.example", before=("wider", {"/chat/room": "echo", "/": "echo"}), after=("wider", {"/": "echo"})),
    Change("elsewhere.example", before=("elsewhere", {"/": "echo"}), after=("elsewhere", {"/": "other"})),
]


def test_sessions_stay_where_another_route_or_backend_takes_over(gateway, crowd, clients):
    """An Ingress by another name, a wider path to the same pods, and a route that leads to other pods."""
    clients({})
    for change in TAKEN_OVER:
        change.write(gateway, *change.before)
    opened = {
        change.host: [
            client for path in change.before[1] for client in crowd.open(gateway.http, 20, path=path, host=change.host)
        ]
        for change in TAKEN_OVER
    }
    for change in TAKEN_OVER:
        change.write(gateway, *change.after)
    # Longer than it takes until sessions are closed whose route is removed.
    time.sleep(GRACE + 0.5)
    echoes = {host: crowd.echo(sessions) for host, sessions in opened.items()}
    assert echoes == {host: len(sessions) for host, sessions in opened.items()}
    assert gateway.entries("session closed") == [] and "routes have been removed" not in gateway.log()


def test_a_wider_rule_to_other_pods_does_not_take_over(gateway, crowd, clients):
    deep, wide = clients({"/chat/room": "echo", "/": "other"})
    gateway.apply("chat.json", ingress("chat", {"/": "other"}, host="localhost"))
    removed(gateway, deep)
    assert crowd.echo(wide) == len(wide)
