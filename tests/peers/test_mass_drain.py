"""Thousands of sessions are closed at a pace, each by a Close, and clients connect elsewhere at that pace."""

import time

import pytest

from crowd import peak
from gateway import Gateway, wait_for
from manifests import ingress, service

SESSIONS = 5_000


def site(port):
    # No session is to end for being silent.
    lasting = {"steadygate.io/websocket-idle-timeout": "0"}
    return [*service("echo", port), *ingress("echo", {"/": "echo"}, annotations=lasting)]


@pytest.fixture
def other(tmp_path):
    other = Gateway(tmp_path / "other")
    yield other
    other.kill()


def drain(gateway, crowd, clients, limit):
    """Ends the gateway, and gives when its sessions got their Close, in seconds from the signal."""
    crowd.lateness, crowd.began = 0.0, time.monotonic()
    gateway.terminate()
    assert gateway.exit_code(timeout=limit) == 0
    wait_for(lambda: all(client.end for client in clients), "every client knows of its end")
    assert {(client.close, client.reason, client.end) for client in clients} == {(1001, "going away", "end")}
    return sorted(client.closed_at - crowd.began for client in clients)


def keeps_pace(moments, rate, crowd):
    """Never ahead of the pace; and no more in a second than it allows, but for what a machine that was late owed
    meanwhile: here, as measured, and in the gateway, a second."""
    assert min(moment - turn / rate for turn, moment in enumerate(moments)) > -0.05
    assert peak(moments) <= rate * (2 + 2 * crowd.lateness)


@pytest.mark.timeout(120)
def test_a_drain_keeps_its_pace_and_so_do_those_who_come_back(gateway, other, crowd, crowd_backend):
    rate, backend = 250, crowd_backend()
    objects = site(backend.port)
    gateway.serve(*objects, arguments=["--drain-timeout", "60", "--close-rate", str(rate), "--no-access-log"])
    other.serve(*objects, arguments=["--no-access-log"])
    clients = crowd.open(gateway.http, SESSIONS)
    assert {client.status for client in clients} == {101}
    crowd.send_back_to(other.http)
    crowd.keep_talking(clients[::25])

    closed = drain(gateway, crowd, clients, limit=40)
    wait_for(lambda: len(crowd.back) + len(crowd.failures) == SESSIONS, "all are back", timeout=20)
    asked = sorted(client.asked_at - crowd.began for client in crowd.back)
    print(f"closed from {closed[0]:.2f} s to {closed[-1]:.2f} s, {peak(closed)} in a second at most; "
          f"came back {peak(asked)}; the machine was late by {crowd.lateness * 1000:.0f} ms")  # fmt: skip
    assert not crowd.failures and {client.status for client in crowd.back} == {101}
    for moments in (closed, asked):
        keeps_pace(moments, rate, crowd)
    assert closed[0] < 2 and SESSIONS / rate * 0.9 < closed[-1] < 30, "within the window: half the drain timeout"
    assert sum(moment < 10 for moment in closed) == pytest.approx(10 * rate, rel=0.15), "evenly"

    assert crowd.echo(crowd.back) == SESSIONS
    seen = backend.seen()
    assert seen["close"] == {"1001 going away": SESSIONS} and seen["ended"] == {"end": SESSIONS}


@pytest.mark.timeout(120)
def test_five_thousand_are_closed_in_five_seconds_by_default(gateway, crowd, crowd_backend):
    gateway.serve(*site(crowd_backend().port), arguments=["--no-access-log"])
    clients = crowd.open(gateway.http, SESSIONS)
    closed = drain(gateway, crowd, clients, limit=20)
    print(f"closed from {closed[0]:.2f} s to {closed[-1]:.2f} s, {peak(closed)} in a second at most")
    assert 4.5 < closed[-1] < 8
    keeps_pace(closed, 1_000, crowd)


@pytest.mark.timeout(120)
def test_a_window_that_is_too_short_for_the_pace_is_used_evenly(gateway, crowd, crowd_backend):
    count, arguments = 1_000, ["--drain-timeout", "10", "--close-rate", "10", "--no-access-log"]
    gateway.serve(*site(crowd_backend().port), arguments=arguments)
    clients = crowd.open(gateway.http, count)
    closed = drain(gateway, crowd, clients, limit=12)
    assert "closing sessions faster than the pace" in gateway.log()
    assert 4.5 < closed[-1] < 8
    keeps_pace(closed, count / 5, crowd)
