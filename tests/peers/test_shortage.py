"""The gateway's machine runs out of descriptors: that is no fault of a backend."""

import http.client
import re
import resource

from websockets.sync.client import connect

from gateway import wait_for
from manifests import ingress, service

#: One failed probe takes the member out, and its sessions with it.
STRICT = {
    "appgw.ingress.kubernetes.io/health-probe-status-codes": "426",
    "appgw.ingress.kubernetes.io/health-probe-interval": "1",
    "appgw.ingress.kubernetes.io/health-probe-unhealthy-threshold": "1",
    "steadygate.io/websocket-unhealthy-grace": "0",
}


def answer(connection, path="/"):
    connection.request("GET", path)
    response = connection.getresponse()
    return response, response.read().decode()


def count(metrics, name):
    return int(re.search(rf"^steadygate_{re.escape(name)} (\d+)$", metrics, re.MULTILINE).group(1))


def test_without_descriptors_no_member_is_down_and_no_session_is_closed(gateway, websocket_server):
    echo = websocket_server("python")
    gateway.serve(service("echo", echo.port), ingress("echo", {"/": "echo"}, annotations=STRICT))
    # Connections that are there already need no new descriptor.
    client = http.client.HTTPConnection("127.0.0.1", gateway.http)
    admin = http.client.HTTPConnection("127.0.0.1", gateway.admin)
    metrics = lambda: answer(admin, "/metrics")[1]
    with connect(gateway.url("/", "ws"), proxy=None) as session:
        assert answer(client)[0].status == 426
        assert count(metrics(), 'probes_total{result="inconclusive"}') == 0
        before = resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        wait_for(lambda: count(metrics(), 'probes_total{result="inconclusive"}') >= 3, "probes can't be sent", 30)
        response, text = answer(client)
        assert (response.status, response.getheader("X-Steadygate-Reason")) == (503, "GatewayOverloaded")
        assert response.getheader("Retry-After") == "1" and "descriptor" in text
        assert count(metrics(), 'shortages_total{resource="descriptors"}') >= 4
        assert 'state="up"} 1' in metrics()
        session.send("still here")
        assert session.recv(5) == "still here"
        # The log says it once in 10 s, not at each failure.
        said = gateway.log().count("can open no connection")
        assert 1 <= said < count(metrics(), 'shortages_total{resource="descriptors"}')
        resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, before)
        assert answer(client)[0].status == 426, "no time is needed to recover"
        session.send("and here")
        assert session.recv(5) == "and here"
