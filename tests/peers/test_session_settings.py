"""Settings of a route's sessions over time: health of their backend, balance, age, silence."""

import time

import pytest

from crowd import peak
from crowd_peer import PING, TEXT
from gateway import wait_for
from manifests import ingress, service

PROBED = {
    "appgw.ingress.kubernetes.io/health-probe-interval": "1",
    "appgw.ingress.kubernetes.io/health-probe-timeout": "5",
    "appgw.ingress.kubernetes.io/health-probe-unhealthy-threshold": "1",
}


def route(name, to="echo", **annotations):
    annotations = {f"steadygate.io/websocket-{name.replace('_', '-')}": str(value) for name, value in annotations.items()}
    return ingress(name, {"/": to}, host=f"{name}.example", annotations=PROBED | annotations)


def ways(clients):
    return {(client.close, client.reason, client.end) for client in clients}


def causes(gateway, count):
    """Of so many sessions, once that many have been written down."""
    wait_for(lambda: len(gateway.entries("session closed")) >= count, f"{count} sessions are over")
    return {(entry["cause"], entry["code"]) for entry in gateway.entries("session closed")}


@pytest.fixture
def serve(gateway):
    return lambda *objects: gateway.serve(*objects, arguments=["--log-format", "json"])


def test_sessions_of_a_backend_that_is_not_well_are_closed_after_the_grace(gateway, serve, crowd, crowd_backend):
    grace, backend = 3, crowd_backend()
    serve(*service("echo", backend.port), *route("grace", unhealthy_grace=grace), *route("plain"))
    clients, plain = crowd.open(gateway.http, 20, host="grace.example"), crowd.open(gateway.http, 20, host="plain.example")
    failed = time.monotonic()
    backend.fail()
    wait_for(lambda: '"down"' in gateway.log(), "it is known to be down")
    since = time.monotonic()
    time.sleep(grace / 2)
    assert crowd.echo(clients + plain) == 40, "they stay until then"
    wait_for(lambda: all(client.end for client in clients), "they are closed")
    assert ways(clients) == {(1012, "backend unhealthy", "end")} and causes(gateway, 20) == {("unhealthy", 1012)}
    # They are looked after once a second.
    assert all(client.closed_at - failed > grace and client.closed_at - since < grace + 4 for client in clients)
    wait_for(lambda: backend.seen()["close"] == {"1012 backend unhealthy": 20}, "the backend is told")
    time.sleep(1)
    assert crowd.echo(plain) == 20, "nobody asked for these"


def test_a_backend_that_is_well_again_in_time_keeps_its_sessions(gateway, serve, crowd, crowd_backend):
    grace, backend = 6, crowd_backend()
    serve(*service("echo", backend.port), *route("grace", unhealthy_grace=grace))
    clients = crowd.open(gateway.http, 20, host="grace.example")
    for _ in range(2):  # two short times are not a long one
        downs = gateway.log().count('"down"')
        backend.fail()
        wait_for(lambda: gateway.log().count('"down"') > downs, "it is known to be down")
        time.sleep(grace * 0.55)
        ups = gateway.log().count('"up"')
        backend.heal()
        wait_for(lambda: gateway.log().count('"up"') > ups, "it is known to be up")
        time.sleep(1.2)
    assert crowd.echo(clients) == 20


@pytest.mark.timeout(90)
def test_the_fullest_member_gives_up_sessions_slowly_the_oldest_first(gateway, serve, crowd, crowd_backend):
    count, rate = 30, 3  # a second
    full, empty = crowd_backend(), crowd_backend()
    balanced = route("balanced", rebalance=rate * 60)
    serve(*service("echo", full.port), *balanced)
    clients = crowd.open(gateway.http, count, host="balanced.example", at_once=1)
    time.sleep(2.5)
    assert ways(clients) == {(None, None, None)}, "one member alone has nobody to give them to"
    crowd.send_back_to(gateway.http, host="balanced.example")
    began = time.monotonic()
    gateway.apply("site.json", *service("echo", full.port, empty.port), *balanced)

    def moments():
        return sorted(client.closed_at for client in crowd.clients if client.close)

    wait_for(lambda: len(moments()) > 3, "some are given up")
    # Balanced once nobody has been closed for a while.
    wait_for(lambda: moments()[-1] < time.monotonic() - 3, "it comes to an end", timeout=40)
    closed = [client for client in crowd.clients if client.close]
    assert ways(closed) == {(1012, "rebalancing", "end")} and causes(gateway, len(closed)) == {("rebalance", 1012)}
    print(f"{len(closed)} in {moments()[-1] - began:.1f} s, {peak(moments())} in a second at most")
    # Never ahead of the rate; those of a second in which the machine stood still may come with those of the next.
    assert all(turn <= rate * (moment - began + 1) for turn, moment in enumerate(moments(), 1))
    assert peak(moments()) <= 2 * rate + 1
    # Of those that were there from the beginning the oldest went, whoever had come back besides.
    first = [client.close is not None for client in clients]
    assert first == sorted(first, reverse=True)
    stay = [client for client in crowd.clients if not client.close]
    assert crowd.echo(stay) == len(stay) == count
    here, there = (backend.seen()["opened"] - sum(backend.seen()["ended"].values()) for backend in (full, empty))
    assert here + there == count and max(here, there) <= count / 2 * 1.1 + 1


def test_age(gateway, serve, crowd, crowd_backend):
    age = 8
    serve(*service("echo", crowd_backend().port), *route("aging", max_age=age), *route("plain"))
    began = time.monotonic()
    clients, plain = crowd.open(gateway.http, 200, host="aging.example"), crowd.open(gateway.http, host="plain.example")
    late = time.monotonic() - began
    wait_for(lambda: all(client.end for client in clients), "they are closed", timeout=20)
    assert ways(clients) == {(1012, "maximum age", "end")} and causes(gateway, 200) == {("max_age", 1012)}
    ages = sorted(client.closed_at - client.asked_at for client in clients)
    print(f"closed at {ages[0]:.2f} to {ages[-1]:.2f} s")
    assert age * 0.9 <= ages[0] < age and age * 1.05 < ages[-1] < age * 1.1 + late + 2
    assert crowd.echo(plain) == 1


def test_silence_is_what_the_route_says(gateway, serve, crowd, crowd_backend):
    idle = 3
    serve(
        *service("echo", crowd_backend().port),
        *route("any", idle_timeout=idle),
        *route("messages", idle_timeout=idle, idle_counts="messages"),
    )
    pings, talks = crowd.open(gateway.http, 5, host="messages.example"), crowd.open(gateway.http, 5, host="messages.example")
    bytes_count, silent = crowd.open(gateway.http, 5, host="any.example"), crowd.open(gateway.http, 5, host="any.example")
    began = time.monotonic()
    while time.monotonic() - began < idle + 2:
        crowd.send([client for client in pings + bytes_count if not client.close], b"", PING)
        crowd.send(talks, opcode=TEXT)
        time.sleep(0.3)
    assert ways(talks + bytes_count) == {(None, None, None)}
    wait_for(lambda: all(client.end for client in pings + silent), "they are closed")
    assert ways(pings + silent) == {(1001, "idle timeout", "end")} and causes(gateway, 10) == {("idle", 1001)}
    assert all(idle - 0.1 < client.closed_at - client.asked_at < idle + 2.5 for client in pings + silent)
