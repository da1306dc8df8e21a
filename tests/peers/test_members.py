"""Members of pools: how often one is asked, and how soon one that comes is in service."""

import threading
import time

import pytest

from curl import curl
from gateway import documents, free_port, steadygate, wait_for
from manifests import external_service, ingress, service
from wire import Client, get, response

WARM = 8


def status(gateway, path="/always"):
    return curl(gateway.url(path)).status


@pytest.fixture
def moody(gateway, scripted):
    """A backend with idle connections at the gateway's, which closes each when asked for anything more."""
    together = threading.Barrier(WARM)

    def script(exchange):
        if exchange.head.first.startswith("GET /warm"):
            together.wait(10)
            exchange.send(response())
        else:
            exchange.body()
            exchange.close()

    backend = scripted(script)
    gateway.serve(service("one", backend.port), ingress("one", {"/": "one"}), arguments=["--workers", "1"])
    clients = [Client(gateway.http).send(get("/warm")) for _ in range(WARM)]
    assert [client.answer().status for client in clients] == [200] * WARM
    for client in clients:
        client.close()
    assert len({backend.next().sock for _ in clients}) == WARM
    return backend


def test_a_request_that_every_connection_fails_is_delivered_three_times_at_most(gateway, moody):
    assert curl(gateway.url("/x")).status == 502
    assert 1 <= moody.exchanges.qsize() <= 3


def test_a_post_that_was_sent_is_delivered_once(gateway, moody):
    assert curl(gateway.url("/x"), "-d", "once").status == 502
    assert moody.exchanges.qsize() == 1


@pytest.fixture
def mortal(gateway, scripted):
    """Two members. The one that is asked first dies when it has read the request; the other answers."""
    died = threading.Event()

    def script(exchange):
        exchange.body()
        if died.is_set():
            exchange.send(response())
        else:
            died.set()
            exchange.close()

    members = scripted(script), scripted(script)
    gateway.serve(service("two", *(member.port for member in members)), ingress("two", {"/": "two"}))
    wait_for(lambda: gateway.admin_text("/debug/config").count('"health": "up"') == 2, "both are up")
    return members


def test_a_get_whose_member_dies_goes_to_the_other(gateway, mortal):
    assert curl(gateway.url("/x")).status == 200
    assert [member.exchanges.qsize() for member in mortal] == [1, 1]


@pytest.mark.parametrize("body", [["-d", "once"], ["-X", "POST"]], ids=["with a body", "without"])
def test_a_post_whose_member_dies_goes_to_no_other(gateway, mortal, body):
    assert curl(gateway.url("/x"), *body).status == 502
    assert sum(member.exchanges.qsize() for member in mortal) == 1


def test_a_put_with_a_body_whose_member_dies_goes_to_no_other(gateway, mortal):
    """Its body can't be sent again."""
    assert curl(gateway.url("/x"), "-X", "PUT", "-d", "once").status == 502
    assert sum(member.exchanges.qsize() for member in mortal) == 1


def test_a_backend_that_starts_late_is_soon_in_service(gateway, http_backend):
    """The interval of an Ingress's probe is 30 s; that is not how long a new pod waits for its first request."""
    port = free_port()
    gateway.serve(service("one", port), ingress("one", {"/": "one"}))
    assert status(gateway) == 502  # nobody wrote a probe, so the endpoint is tried
    time.sleep(2)  # what the backend takes to start
    http_backend("late", port=port)
    wait_for(lambda: status(gateway) == 200, "the backend is in service", timeout=12)


def test_explain_asks_a_backend_that_is_a_name(tmp_path, http_backend):
    backend = http_backend()
    external = external_service("named", "localhost", backend.port)
    (tmp_path / "site.json").write_text(documents(external, ingress("one", {"/": "named"})))
    run = steadygate("explain", "--manifests", tmp_path, "http://localhost/")
    assert run.returncode == 0, run.stdout + run.stderr
    line = next(line for line in run.stdout.splitlines() if f"127.0.0.1:{backend.port}" in line)
    assert " up" in line


def test_the_first_request_to_a_backend_that_is_a_name_is_served(gateway, http_backend):
    """It waits for the name and for the probe; it is not refused for want of them."""
    gateway.serve(service("none"))
    for number in range(5):
        external = external_service(f"named-{number}", "localhost", http_backend().port)
        gateway.apply(f"{number}.json", external, ingress(f"one-{number}", {f"/always/{number}": f"named-{number}"}))
        assert status(gateway, f"/always/{number}") == 200
