"""Limits of a route's sessions: which handshakes are refused, how, and that ended sessions count no more."""

import time

import pytest

from crowd_peer import BINARY
from gateway import wait_for
from manifests import ingress, service
from metrics import Metrics
from wire import HANDSHAKE, Client

ROUTE = "Ingress default/echo"


@pytest.fixture
def limited(gateway, crowd_backend):
    """`limited(arguments, name=value…)`: a gateway before an echo server, with these annotations."""

    def start(*arguments, **annotations):
        backend = crowd_backend()
        annotations = {f"steadygate.io/websocket-{name.replace('_', '-')}": str(value) for name, value in annotations.items()}
        objects = [*service("echo", backend.port), *ingress("echo", {"/": "echo", "/two": "echo"}, annotations=annotations)]
        gateway.serve(*objects, arguments=["--log-format", "json", *arguments])
        wait_for(lambda: "health=" in gateway.log() or '"up"' in gateway.log(), "the backend is up")
        return backend

    return start


@pytest.fixture
def handshakes(gateway):
    """`handshakes()`: how many have had an outcome."""
    return lambda: Metrics(gateway.admin_text("/metrics")).total("websocket_handshakes_total")


@pytest.fixture
def told(gateway):
    """`told(name, labels…)`: a sample of the route's; 0 while there is none."""
    return lambda name, **labels: Metrics(gateway.admin_text("/metrics")).of(name, object=ROUTE, **labels) or 0


def refused(gateway, clients, status, reason):
    """Checks each refusal, and gives their number."""
    those = [client for client in clients if client.status != 101]
    for client in those:
        assert (client.status, client.head["x-steadygate-reason"]) == (status, reason)
        assert int(client.head["retry-after"]) >= 1
    logged = [entry for entry in gateway.entries("request") if entry["reason"] == reason]
    assert [entry["status"] for entry in logged] == [status] * len(logged)
    return len(those)


def admitted(clients):
    return [client for client in clients if client.status == 101]


def until(told, count):
    wait_for(lambda: told("websocket_sessions_open") == count, f"{count} sessions are open")


def test_sessions_of_a_route(gateway, crowd, limited, told):
    limited(max_sessions=20)
    clients = crowd.open(gateway.http, 30)
    assert refused(gateway, clients, 503, "RouteSessionLimit") == 10
    assert told("websocket_sessions_open") == 20
    assert told("websocket_handshakes_total", outcome="route_limit") == 10
    assert len(admitted(crowd.open(gateway.http, 3, path="/two"))) == 3, "each path for itself"
    crowd.leave(admitted(clients)[:5])
    until(told, 18)
    again = crowd.open(gateway.http, 8)
    assert refused(gateway, again, 503, "RouteSessionLimit") == 3
    assert crowd.echo(admitted(clients)[5:] + admitted(again)) == 20


def test_sessions_of_a_client_and_who_that_is(gateway, crowd, limited, told):
    limited("--trusted-proxy", "127.0.0.1/32", max_sessions_per_client=2)
    clients = crowd.open(gateway.http, 4)
    assert refused(gateway, clients, 429, "ClientSessionLimit") == 2
    assert told("websocket_handshakes_total", outcome="client_limit") == 2
    # A proxy that is trusted says who it is; what stands before that could be anything.
    for client in ("192.0.2.1", "192.0.2.2"):
        those = crowd.open(gateway.http, 3, x_forwarded_for=client)
        assert refused(gateway, those, 429, "ClientSessionLimit") == 1
    assert len(admitted(crowd.open(gateway.http, 2, x_forwarded_for="198.51.100.9, 192.0.2.2"))) == 0
    # Of others it is not believed.
    those = [crowd.open(gateway.http, x_forwarded_for=f"192.0.2.{number}", local="127.0.0.7")[0] for number in range(4)]
    assert refused(gateway, those, 429, "ClientSessionLimit") == 2
    crowd.leave(admitted(those)[:1])
    until(told, 7)
    assert len(admitted(crowd.open(gateway.http, 2, local="127.0.0.7"))) == 1


def test_without_trust_a_forwarded_address_changes_nothing(gateway, crowd, limited):
    limited(max_sessions_per_client=2)
    those = [crowd.open(gateway.http, x_forwarded_for=f"192.0.2.{number}")[0] for number in range(4)]
    assert refused(gateway, those, 429, "ClientSessionLimit") == 2


def test_handshakes_a_second(gateway, crowd, limited, told):
    limited(handshake_rate=5)
    clients = crowd.open(gateway.http, 40, at_once=40)
    assert 5 <= len(admitted(clients)) < 30
    assert refused(gateway, clients, 429, "HandshakeRateLimit") == told("websocket_handshakes_total", outcome="rate_limit")
    wait_for(lambda: crowd.open(gateway.http)[0].status == 101, "after a while there is room again")


def test_sessions_of_the_gateway(gateway, crowd, limited, told):
    limited("--max-sessions", "10")
    clients = crowd.open(gateway.http, 12) + crowd.open(gateway.http, 3, path="/two")
    assert refused(gateway, clients, 503, "GatewaySessionLimit") == 5
    assert told("websocket_handshakes_total", outcome="gateway_limit") == 5
    crowd.leave(admitted(clients)[:4])
    until(told, 6)
    assert len(admitted(crowd.open(gateway.http, 6))) == 4


def test_a_handshake_that_fails_takes_no_place(gateway, crowd, limited, told, handshakes):
    limited("--max-sessions", "2", max_sessions=2, max_sessions_per_client=2)
    refusals = crowd.open(gateway.http, 30, path="/refuse")
    assert {client.status for client in refusals if client.status not in (429, 503)} == {403}
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE.replace(b"13", b"12")).status == 426
    for _ in range(10):  # gone before the answer
        Client(gateway.http).send(HANDSHAKE).close()
    wait_for(lambda: handshakes() >= 30 + 1, "each that was waited for has been counted")
    time.sleep(0.5)  # and those that went, as far as anybody had read them
    until(told, 0)
    wait_for(lambda: gateway.in_progress() == 0, "all is over")
    clients = crowd.open(gateway.http, 3)
    assert len(admitted(clients)) == 2


@pytest.mark.parametrize(
    ("limit", "breach", "code", "reason", "cause"),
    [
        ({"max_message_size": "1k"}, [b"x" * 1025], 1009, "message too big", "message_size"),
        ({"message_rate": 10}, [b"x"] * 40, 1008, "too many messages", "message_rate"),
    ],
)
def test_messages(gateway, crowd, limited, told, limit, breach, code, reason, cause):
    backend = limited(**limit)
    one, other = crowd.open(gateway.http, 2)
    assert crowd.echo([one, other], b"x" * 1024) == 2
    wait_for(lambda: crowd.echo([one]) == 1, "within the limit")
    for payload in breach:
        crowd.send([one], payload, BINARY)
    wait_for(lambda: one.end, "it ends")
    assert (one.close, one.reason, one.end) == (code, reason, "end")
    wait_for(lambda: backend.seen()["close"] == {f"{code} {reason}": 1}, "the backend is told the same")
    (entry,) = wait_for(lambda: gateway.entries("session closed"), "it is logged")
    assert (entry["cause"], entry["initiator"], entry["code"], entry["detail"]) == (cause, "gateway", code, reason)
    wait_for(lambda: told("websocket_sessions_ended_total", cause=cause) == 1, "it is counted")
    assert told("websocket_closes_total", initiator="gateway", code=str(code)) == 1
    assert crowd.echo([other]) == 1
