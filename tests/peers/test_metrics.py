"""/metrics, as Prometheus reads it."""

import pytest
from websockets.sync.client import connect

from curl import curl
from gateway import wait_for
from manifests import ingress, service
from metrics import Metrics
from websocket_peers import sessions

PAGE, ECHO = "Ingress default/page", "Ingress default/echo"


@pytest.fixture
def metrics(gateway):
    return lambda: Metrics(gateway.admin_text("/metrics"))


@pytest.fixture
def served(gateway, http_backend, websocket_server):
    gateway.write("services.json", service("page", http_backend().port), service("echo", websocket_server("python").port))
    gateway.write("page.json", ingress("page", {"/": "page"}))
    gateway.write("echo.json", ingress("echo", {"/chat": "echo"}))
    return gateway.start()


def test_requests(gateway, served, metrics):
    for path in ("/x", "/y", "/status/418"):
        curl(gateway.url(path))
    wait_for(lambda: metrics().of("request_duration_seconds_count", object=PAGE) == 3, "three requests are counted")
    told = metrics()
    assert told.of("requests_total", object=PAGE, code="200") == 2
    assert told.of("requests_total", object=PAGE, code="418") == 1
    assert told.of("request_duration_seconds_bucket", object=PAGE, le="+Inf") == 3
    assert 0 < told.of("request_duration_seconds_sum", object=PAGE) < 5


def test_sessions(gateway, served, metrics):
    with sessions(gateway.url("/chat", "ws"), 3, compression=None) as [first, *_]:
        first.send("hello")
        assert first.recv(5) == "hello"
        down = dict(object=ECHO, direction="down", type="text")
        wait_for(lambda: metrics().of("websocket_messages_total", **down), "the answer is counted")
        told = metrics()
        assert told.of("websocket_sessions_open", object=ECHO) == 3
        assert told.of("websocket_handshakes_total", object=ECHO, outcome="opened") == 3
        assert told.of("websocket_sessions_ended_total", object=ECHO, cause="client") is None
        for direction, count in [("up", 6 + 5), ("down", 2 + 5)]:
            assert told.of("websocket_messages_total", object=ECHO, direction=direction, type="text") == 1
            assert told.of("websocket_bytes_total", object=ECHO, direction=direction) == count
    wait_for(lambda: metrics().of("websocket_sessions_open", object=ECHO) == 0, "no session is open")
    told = metrics()
    assert told.of("websocket_handshakes_total", object=ECHO, outcome="opened") == 3
    assert told.of("websocket_sessions_ended_total", object=ECHO, cause="client") == 3
    assert told.of("websocket_closes_total", object=ECHO, initiator="client", code="1000") == 3
    assert told.of("websocket_session_duration_seconds_count", object=ECHO) == 3
    assert told.of("websocket_session_duration_seconds_bucket", object=ECHO, le="+Inf") == 3


def test_members_and_probes(gateway, served, metrics, http_backend):
    gone, here = http_backend(), http_backend()
    gone.close()
    gateway.apply("two.json", service("two", gone.port, here.port), ingress("two", {"/two": "two"}))

    def members():
        told = metrics()
        return {
            dict(labels)["state"]: value
            for (name, labels), value in told.items()
            if name == "pool_members" and "default/two" in dict(labels)["pool"] and value
        }

    wait_for(lambda: members() == {"up": 1, "down": 1}, "one is up, one is down")
    told = metrics()
    assert told.of("probes_total", result="success") >= 3
    assert told.of("probes_total", result="failure") >= 1
    gateway.write("two.json", service("two", here.port, ready=False), ingress("two", {"/two": "two"}))
    wait_for(lambda: members() == {"not_ready": 1}, "the one that is left is not ready")


def test_generations_and_swaps(gateway, served, metrics):
    before = metrics()
    gateway.apply("page.json", ingress("page", {"/moved": "page"}))
    after = metrics()
    for name in ("config_generation", "table_swaps_total"):
        assert after.of(name) == before.of(name) + 1
    assert after.of("config_generation") == gateway.generation()
    assert after.of("reports", severity="error") == 0
    gateway.apply("page.json", ingress("page", {"/moved": "no-such-service"}))
    wait_for(lambda: metrics().of("reports", severity="error") == 1, "the error is told")


def test_series_end_with_their_ingress(gateway, served, metrics):
    with connect(gateway.url("/chat", "ws"), proxy=None):
        assert curl(gateway.url("/x")).status == 200
    wait_for(lambda: metrics().of("websocket_sessions_open", object=ECHO) == 0, "no session is open")
    wait_for(lambda: metrics().of("requests_total", object=PAGE, code="200"), "the request is counted")
    assert metrics().naming(ECHO)
    (gateway.manifests / "echo.json").unlink()
    wait_for(lambda: not metrics().naming("echo"), "no series of the Ingress that was deleted")
    assert metrics().of("requests_total", object=PAGE, code="200") == 1, "others go on"
    (gateway.manifests / "page.json").unlink()
    wait_for(lambda: not metrics().naming("page"), "no series of the Ingress that was deleted")
