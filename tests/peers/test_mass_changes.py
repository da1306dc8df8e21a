"""A thousand changes of the configuration under five thousand sessions: no change is about them, and none is cut."""

import itertools
import re

import pytest

from gateway import wait_for
from manifests import ingress, secret, service
from wire import Client, get

SESSIONS, CHANGES = 5_000, 1_000
LASTING = {"steadygate.io/websocket-idle-timeout": "0"}


def pods(objects):
    """A Service whose endpoints each have an address of their own."""
    for number, piece in enumerate(objects[2:], 2):
        piece["endpoints"][0]["addresses"] = [f"127.0.0.{number}"]
    return objects


def changes(port, certificates):
    """Files to write, one after another, without end: each is a change of its own, and of nothing that has sessions."""
    for turn in itertools.count():
        name = f"other-{turn % 8}"
        yield "route.json", ingress("moving", {f"/{turn}": "other"}, host="moving.example")
        yield "host.json", ingress("host", {"/": "other"}, host=f"host-{turn}.example", secret="tls")
        yield "annotations.json", ingress(
            "told", {"/": "other"}, host="told.example",
            annotations={"steadygate.io/websocket-idle-timeout": str(turn + 1)},
        )  # fmt: skip
        yield "tls.json", secret("tls", certificates[turn % 2])
        # Pods that come and go, ready or not, and a pool that is there every other time.
        yield "other.json", pods(service("other", *[port] * (1 + turn % 5), ready=turn % 3 > 0))
        yield "pool.json", [*service(name, port), *ingress(name, {"/": name}, host=f"{name}.example")]
        # A Service next to the sessions' own gets their backend too, and loses it again.
        yield "beside.json", service("beside", *[port] * (turn % 2))
        yield "listener.json", [] if turn % 2 else ingress("tls", {"/": "other"}, host="tls.example", secret="tls")


class Served:
    """The generation that the log reports: a request for it would cost more."""

    def __init__(self, gateway):
        self.log, self.rest, self.generation, self.swaps = gateway.log_path.open(), "", 0, 0

    def read(self):
        whole, _, self.rest = (self.rest + self.log.read()).rpartition("\n")
        for told in re.finditer(r"configuration served generation=(\d+) swaps=(\d+)", whole):
            self.generation, self.swaps = map(int, told.groups())
        return self.generation


@pytest.mark.timeout(150)
def test_a_thousand_changes_cut_none_of_five_thousand_sessions(gateway, crowd, crowd_backend, certificate):
    backend, others = crowd_backend(), crowd_backend()
    certificates = [certificate("localhost"), certificate("localhost", "renewed.example")]
    own = [*service("echo", backend.port), *ingress("echo", {"/": "echo"}, host="localhost", annotations=LASTING)]
    gateway.serve(*own, *service("other", others.port), arguments=["--no-access-log"])
    clients = crowd.open(gateway.http, SESSIONS)
    assert crowd.echo(clients) == SESSIONS

    served, memory = Served(gateway), 0
    first = served.read()
    for turn, (name, objects) in enumerate(itertools.islice(changes(others.port, certificates), CHANGES)):
        before = served.read()
        gateway.write(name, *objects)
        wait_for(lambda: served.read() > before, f"change {turn}, of {name}, is served")
        if turn == CHANGES // 10:
            memory = gateway.resident_bytes()
        if turn % 50 == 0:
            assert crowd.echo(clients[:: SESSIONS // 10]) == 10
    grown = gateway.resident_bytes() - memory
    print(f"{served.generation - first} generations, {served.swaps} swaps; grown by {grown / 1024:.0f} KiB")

    assert served.generation - first >= CHANGES and served.swaps > CHANGES / 3
    with Client(gateway.http) as client:
        assert client.ask(get(f"/{(CHANGES - 1) // 8}", "moving.example")).status == 200, "the last are served"
    assert [client for client in clients if client.end or client.close] == []
    assert crowd.echo(clients) == SESSIONS
    seen = backend.seen()
    assert (seen["opened"], seen["close"], seen["ended"]) == (SESSIONS, {}, {})
    assert grown < 4 * 1024 * 1024
