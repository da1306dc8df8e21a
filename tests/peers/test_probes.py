"""A backend that does not answer its probe gets nothing, WebSocket included, until it answers again."""

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from curl import curl
from gateway import free_port, wait_for
from manifests import application_gateway, ingress, service

PROBE = {"path": "/healthz", "interval": 1, "timeout": 5, "unhealthyThreshold": 2}


def status(gateway, path="/always"):
    return curl(gateway.url(path)).status


def test_down_and_up_again(gateway, http_backend):
    backend = http_backend()
    gateway.serve(application_gateway("one", backend.port, probe=PROBE))
    assert status(gateway) == 200
    backend.health = 500
    wait_for(lambda: status(gateway) == 503, "the member is out")
    answer = curl(gateway.url("/always"))
    assert b"unhealthy" in answer.body.lower() or b"probe" in answer.body.lower(), "the body says why"
    backend.health = 200
    wait_for(lambda: status(gateway) == 200, "the member is back")


def test_a_websocket_handshake_gets_the_same_headers(gateway, http_backend):
    backend = http_backend()
    backend.health = 500
    gateway.serve(application_gateway("one", backend.port, probe=PROBE))
    with pytest.raises(InvalidStatus) as refused:
        with connect(gateway.url("/always", "ws"), proxy=None):
            pass
    assert refused.value.response.status_code == 503


def test_a_backend_that_dies_and_returns(gateway, http_backend):
    backend = http_backend("first", port=free_port())  # nobody has it meanwhile
    gateway.serve(application_gateway("one", backend.port, probe=PROBE))
    assert status(gateway) == 200
    backend.close()
    assert status(gateway) in (502, 503)
    wait_for(lambda: status(gateway) == 503, "the member is out")
    http_backend("second", port=backend.port)
    wait_for(lambda: status(gateway) == 200, "the member is back")


def test_only_the_member_that_is_unwell_is_out(gateway, http_backend):
    a, b = http_backend("a"), http_backend("b")
    annotations = {
        "appgw.ingress.kubernetes.io/health-probe-path": "/healthz",
        "appgw.ingress.kubernetes.io/health-probe-interval": "1",
        "appgw.ingress.kubernetes.io/health-probe-unhealthy-threshold": "1",
    }
    gateway.serve(service("one", a.port, b.port), ingress("one", {"/": "one"}, annotations=annotations))
    servers = lambda: {curl(gateway.url("/always")).json()["server"] for _ in range(4)}
    wait_for(lambda: servers() == {"a", "b"}, "both serve")
    a.health = 500
    wait_for(lambda: servers() == {"b"}, "one serves")
    a.health = 200
    wait_for(lambda: servers() == {"a", "b"}, "both serve again")


def test_an_ingress_without_a_probe_takes_any_answer_below_500_for_life(gateway, http_backend):
    backend = http_backend()
    backend.health = 404
    gateway.serve(service("one", backend.port), ingress("one", {"/": "one"}))
    assert status(gateway) == 200


def test_the_first_request_does_not_wait_for_the_interval(gateway, http_backend):
    gateway.serve(service("none"))
    gateway.apply("late.json", service("late", http_backend().port), ingress("late", {"/": "late"}))
    assert status(gateway) == 200


def test_the_body_and_the_status_that_a_probe_wants(gateway, http_backend):
    backend = http_backend()
    match = {"statusCodes": ["200-299", "404"], "body": "sha256"}
    gateway.serve(application_gateway("one", backend.port, probe=PROBE | {"match": match}))
    wait_for(lambda: status(gateway) == 200, "the body is as wanted")
    match["body"] = "something else"
    gateway.apply("site.json", application_gateway("one", backend.port, probe=PROBE | {"match": match}))
    wait_for(lambda: status(gateway) == 503, "the body is not as wanted")


def test_sessions_go_on_while_their_member_is_down(gateway, websocket_server):
    """The library answers plain requests with 426: well for an Ingress's probe, unwell for ARM's."""
    echo = websocket_server("python")
    gateway.serve(service("echo", echo.port), ingress("echo", {"/": "echo"}))
    with connect(gateway.url("/", "ws"), proxy=None) as socket:
        gateway.write("site.json", application_gateway("echo", echo.port, probe=PROBE))
        wait_for(lambda: status(gateway) == 503, "the member is out")
        socket.send("still here")
        assert socket.recv(5) == "still here"


def test_readiness_by_endpoint_slice(gateway, http_backend):
    backend = http_backend()
    gateway.serve(service("one", backend.port, ready=False), ingress("one", {"/": "one"}))
    assert status(gateway) == 503
    gateway.write("site.json", service("one", backend.port), ingress("one", {"/": "one"}))
    wait_for(lambda: status(gateway) == 200, "the endpoint is ready")


def test_probes_are_counted(gateway, http_backend):
    gateway.serve(application_gateway("one", http_backend().port, probe=PROBE))
    assert status(gateway) == 200
    assert any("probe" in line and line[0] != "#" for line in gateway.admin_text("/metrics").splitlines())
