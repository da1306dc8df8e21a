"""Upgrades to protocols other than WebSocket, byte by byte: who grants them, what is relayed, how they end, where they are shown."""

import json
import subprocess
import time

import pytest

from gateway import documents, steadygate, wait_for
from http_backend import MIB
from libraries import PEERS
from manifests import ingress, secret, service
from metrics import Metrics
from wire import ACCEPTED, HANDSHAKE, Client, answers, get, response

ROUTE = "Ingress default/api"


def api(port, upgrade="SPDY/3.1, tcp", **annotations):
    named = {f"steadygate.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
    if upgrade is not None:
        named["steadygate.io/upgrade"] = upgrade
    return [service("api", port), ingress("api", {"/api": "api"}, annotations=named)]


def request(protocol="SPDY/3.1", *fields, method="POST", body=b""):
    lines = [f"{method} /api/exec HTTP/1.1", "Host: localhost", "Connection: Upgrade", f"Upgrade: {protocol}", *fields]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def switched(protocol="SPDY/3.1", *fields):
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", f"Upgrade: {protocol}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def echo(protocol="SPDY/3.1"):
    """A script: switches protocols, and sends back what comes until the client ends."""

    def script(exchange):
        exchange.send(switched(protocol))
        exchange.heard = b""
        while data := exchange.buffer or exchange.sock.recv(65536):
            exchange.buffer = b""
            exchange.heard += data
            exchange.sock.sendall(data)
        exchange.close()

    return script


def opened(gateway, **named):
    """A client for which the protocol has been switched."""
    client = Client(gateway.http, **named)
    assert client.ask(request()).status == 101
    return client


def test_the_backend_grants_the_upgrade_and_then_every_byte_passes(gateway, scripted):
    def script(exchange):
        exchange.send(switched("spdy/3.1", "X-Stream-Protocol-Version: v4.channel.k8s.io") + b"early from the backend")
        exchange.heard = exchange.read_to_end()
        exchange.send(b"after your end")
        exchange.close()

    backend = scripted(script)
    gateway.serve(*api(backend.port))
    with Client(gateway.http) as client:
        answer = client.ask(request("SPDY/3.1", "X-Stream-Protocol-Version: v4.channel.k8s.io") + b"early from the client")
        assert (answer.status, answer["upgrade"], answer["connection"].lower()) == (101, "spdy/3.1", "upgrade")
        assert answer["x-stream-protocol-version"] == "v4.channel.k8s.io"
        assert client.read(22) == b"early from the backend"
        client.send(b"\x88\x00 and \x89\x00 are no frames here").half_close()
        assert client.read_to_end() == b"after your end"
    exchange = backend.next()
    assert exchange.head.first == "POST /api/exec HTTP/1.1"
    assert (exchange.head["upgrade"], exchange.head["connection"].lower()) == ("SPDY/3.1", "upgrade")
    assert exchange.head["x-stream-protocol-version"] == "v4.channel.k8s.io"
    assert exchange.heard == b"early from the client" + b"\x88\x00 and \x89\x00 are no frames here"


def test_the_backend_may_end_first(gateway, scripted):
    def script(exchange):
        exchange.send(switched() + b"my last words")
        exchange.half_close()
        exchange.heard = exchange.read_to_end()

    backend = scripted(script)
    gateway.serve(*api(backend.port))
    with opened(gateway) as client:
        assert client.read_to_end() == b"my last words"
        client.send(b"these are mine").half_close()
        exchange = backend.next()
        assert exchange.done.wait(5) and exchange.heard == b"these are mine"


@pytest.mark.parametrize("allowed, asked, passed", [
    (None, "SPDY/3.1", ""),
    ("SPDY/3.1, tcp", "DERP", ""),
    ("SPDY/3.1, tcp", "DERP, TCP", "TCP"),
    ("*", "h2c", ""),
    ("*", "h2c, DERP, TLS/1.2", "DERP"),
    ("*", "x" * 65, ""),
], ids=["no annotation", "another", "one of two", "HTTP", "HTTP among others", "too long"])  # fmt: skip
def test_the_backend_gets_those_protocols_alone_that_its_route_allows(gateway, scripted, allowed, asked, passed):
    backend = scripted(answers(response(b"as it is", "418 I'm a teapot")))
    gateway.serve(*api(backend.port, allowed))
    with Client(gateway.http) as client:
        answer = client.ask(request(asked, "HTTP2-Settings: AAMAAABkAAQAAP__"))
        assert (answer.status, answer.body) == (418, b"as it is")
    head = backend.next().head
    assert (head["upgrade"], head["http2-settings"]) == (passed, "")


def test_an_upgrade_that_connection_does_not_name_is_none(gateway, scripted):
    backend = scripted(answers(response()))
    gateway.serve(*api(backend.port))
    with Client(gateway.http) as client:
        assert client.ask(request().replace(b"Connection: Upgrade\r\n", b"")).status == 200
    assert backend.next().head["upgrade"] == ""


def test_an_answer_that_does_not_switch_is_handed_on_and_the_connection_stays_http(gateway, scripted):
    def script(exchange):
        statuses = {"DERP": "426 Upgrade Required", "tcp": "403 Forbidden", "": "200 OK"}
        exchange.send(response(b"no", statuses[exchange.head["upgrade"]], "Upgrade: DERP", "Connection: Upgrade"))

    backend = scripted(script)
    gateway.serve(*api(backend.port, "DERP, tcp"))
    with Client(gateway.http) as client:
        answer = client.ask(request("DERP"))
        assert (answer.status, answer["upgrade"], answer.body) == (426, "DERP", b"no")
        answer = client.ask(request("tcp"))
        assert (answer.status, answer["upgrade"], answer.body) == (403, "", b"no")
        assert client.ask(get("/api")).status == 200


@pytest.mark.parametrize("answer", [
    switched("tcp"), switched("websocket"), switched("SPDY/3.1, tcp"), switched().replace(b"Upgrade: SPDY/3.1\r\n", b""),
    switched().replace(b"Connection: Upgrade\r\n", b""), switched("SPDY/3.1", "Upgrade: SPDY/3.1"),
], ids=["another", "WebSocket", "two", "none", "no Connection", "twice"])  # fmt: skip
def test_a_101_to_something_else_opens_nothing(gateway, scripted, answer):
    backend = scripted(answers(answer + b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsmuggle"))
    gateway.serve(*api(backend.port))
    with Client(gateway.http) as client:
        refused = client.ask(request())
        assert (refused.status, refused["x-steadygate-reason"]) == (502, "UnexpectedUpgrade")
        assert b"smuggle" not in refused.body
    told = Metrics(gateway.admin_text("/metrics"))
    labels = {"object": ROUTE, "protocol": "SPDY/3.1"}
    assert told.of("upgrade_handshakes_total", outcome="invalid_answer", **labels) == 1
    assert told.total("websocket_handshakes_total") == 0


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_body_is_sent_before_the_protocol_is_switched(gateway, scripted, method):
    def script(exchange):
        exchange.received = exchange.body()
        exchange.send(switched("tcp"))
        exchange.heard = exchange.read(5)
        exchange.send(b"and back")

    backend = scripted(script)
    gateway.serve(*api(backend.port))
    body = b"x" * 200_000
    with Client(gateway.http) as client:
        assert client.ask(request("tcp", method=method, body=body) + b"after").status == 101
        assert client.read(8) == b"and back"
    exchange = backend.next()
    assert (exchange.received, exchange.heard) == (body, b"after")


@pytest.mark.parametrize("expects", [[], ["Expect: 100-continue"]], ids=["sent", "held back"])
def test_a_101_before_the_end_of_the_body_opens_nothing(gateway, scripted, expects):
    """The rest of the body would be taken for the new protocol."""
    backend = scripted(answers(switched("tcp")))
    gateway.serve(*api(backend.port))
    with Client(gateway.http) as client:
        head = request("tcp", *expects).replace(b"Content-Length: 0", b"Content-Length: 10")
        answer = client.ask(head if expects else head + b"half ")
        assert (answer.status, answer["x-steadygate-reason"]) == (502, "UnexpectedUpgrade")
    assert b"rest" not in backend.next().rest


def test_it_is_listed_logged_and_counted_by_its_protocol(gateway, scripted):
    backend = scripted(echo())
    gateway.serve(*api(backend.port), arguments=["--log-format", "json"])
    labels = {"object": ROUTE, "protocol": "SPDY/3.1"}
    with opened(gateway) as client:
        client.send(b"\x81\x00seven")
        assert client.read(7) == b"\x81\x00seven"
        listed = json.loads(steadygate("sessions", "--admin", f"127.0.0.1:{gateway.admin}", "--json").stdout)["sessions"]
        assert [(one["protocol"], one["subprotocol"], one["path"]) for one in listed] == [("SPDY/3.1", "", "/api/exec")]
        assert (listed[0]["up"]["bytes"], listed[0]["up"]["text"], listed[0]["down"]["bytes"]) == (7, 0, 7)
        table = steadygate("sessions", "--admin", f"127.0.0.1:{gateway.admin}").stdout.splitlines()
        assert "PROTOCOL" in table[0] and "SPDY/3.1" in table[1]
        told = Metrics(gateway.admin_text("/metrics"))
        assert told.of("upgrade_sessions_open", **labels) == 1
        assert told.of("upgrade_bytes_total", direction="up", **labels) == 7
        assert told.of("websocket_sessions_open", object=ROUTE) == 0
    wait_for(lambda: gateway.entries("session closed"), "its end is logged")
    told = Metrics(gateway.admin_text("/metrics"))
    assert told.of("upgrade_sessions_open", **labels) == 0
    assert told.of("upgrade_handshakes_total", outcome="opened", **labels) == 1
    assert told.of("upgrade_sessions_ended_total", cause="client", **labels) == 1
    assert told.of("upgrade_session_duration_seconds_count", **labels) == 1
    (begin,), (end,) = gateway.entries("session opened"), gateway.entries("session closed")
    assert (begin["protocol"], end["protocol"], end["cause"], end["bytes_up"]) == ("SPDY/3.1", "SPDY/3.1", "client", 7)
    assert "code" not in end


def test_a_client_cannot_name_a_metric(gateway, scripted):
    backend = scripted(lambda exchange: exchange.send(switched(exchange.head["upgrade"])))
    gateway.serve(*api(backend.port, "*"))
    for protocol in ("mine-1", "mine-2", "derp"):
        with Client(gateway.http) as client:
            assert client.ask(request(protocol)).status == 101
    told = Metrics(gateway.admin_text("/metrics"))
    assert told.of("upgrade_handshakes_total", object=ROUTE, protocol="other", outcome="opened") == 2
    assert told.of("upgrade_handshakes_total", object=ROUTE, protocol="DERP", outcome="opened") == 1
    assert not told.naming("mine")


def drained(gateway, _port):
    gateway.terminate()


def route_removed(gateway, port):
    gateway.apply("site.json", service("api", port))


def pod_terminating(gateway, port):
    objects = api(port)
    slices = [one for one in objects[0] if one["kind"] == "EndpointSlice"]
    slices[0]["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
    gateway.apply("site.json", *objects)


def closed_by_command(gateway, _port):
    assert steadygate("sessions", "close", "--all", "--admin", f"127.0.0.1:{gateway.admin}").returncode == 0


@pytest.mark.timeout(90)
@pytest.mark.parametrize("closing, cause", [
    (drained, "drain"), (route_removed, "route_removed"), (pod_terminating, "member_drain"),
    (closed_by_command, "command"),
], ids=["drain", "route", "pod", "command"])  # fmt: skip
def test_it_is_closed_in_time_by_the_end_of_its_streams(gateway, scripted, closing, cause):
    backend = scripted(echo())
    gateway.serve(*api(backend.port), arguments=["--log-format", "json"])
    with opened(gateway, timeout=60) as client:
        client.send(b"hello")
        assert client.read(5) == b"hello"
        closing(gateway, backend.port)
        with pytest.raises(EOFError):  # and no reset, and no Close frame
            client.read(1)
    exchange = backend.next()
    assert exchange.done.wait(10) and exchange.heard == b"hello"
    wait_for(lambda: gateway.entries("session closed"), "its end is logged")
    (end,) = gateway.entries("session closed")
    assert (end["cause"], end["initiator"], "code" in end) == (cause, "gateway", False)


def test_what_is_under_way_arrives_before_the_end(gateway, scripted):
    """The client takes nothing until the gateway has been asked to close: what it had read for the client by then comes first."""
    backend = scripted(lambda exchange: exchange.send(switched() + b"y" * 16 * MIB))
    gateway.serve(*api(backend.port))

    def metric(name, **labels):
        return Metrics(gateway.admin_text("/metrics")).of(name, object=ROUTE, protocol="SPDY/3.1", **labels)

    def is_stuck():
        before = metric("upgrade_bytes_total", direction="down")
        time.sleep(0.3)  # a busy machine may move nothing for as long: then the test shows less, and does not fail
        return before == metric("upgrade_bytes_total", direction="down") > 0

    with opened(gateway) as client:
        wait_for(is_stuck, "the client's side is full")
        closed_by_command(gateway, backend.port)
        received = client.read_to_end()
    wait_for(lambda: metric("upgrade_sessions_ended_total", cause="command") == 1, "it has ended")
    assert len(received) == metric("upgrade_bytes_total", direction="down")


def test_kubectls_own_library_has_its_streams_echoed(gateway):
    """Client and server are spdystream, which kubectl, the API server and the kubelet use: two streams at once, each half-closed."""
    (peer,) = PEERS["go"]
    server = subprocess.Popen([peer, "spdy-server"], stdout=subprocess.PIPE, text=True)
    try:
        gateway.serve(*api(int(server.stdout.readline())))
        client = [peer, "spdy-client", f"127.0.0.1:{gateway.http}", "/api/exec"]
        run = subprocess.run(client, capture_output=True, text=True, timeout=50)
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout) == {"session": "spdy", "bytes": [MIB, MIB]}
    finally:
        server.kill()
        server.wait()
    told = Metrics(gateway.admin_text("/metrics"))
    assert told.of("upgrade_handshakes_total", object=ROUTE, protocol="SPDY/3.1", outcome="opened") == 1


def test_it_counts_for_the_limits_of_sessions_and_of_silence(gateway, scripted):
    backend = scripted(echo())
    gateway.serve(*api(backend.port, websocket_max_sessions="1", websocket_idle_timeout="2"))
    with opened(gateway) as client:
        with Client(gateway.http) as other:
            refused = other.ask(request())
            assert (refused.status, refused["x-steadygate-reason"]) == (503, "RouteSessionLimit")
        with pytest.raises(EOFError):
            client.read(1)
    labels = {"object": ROUTE, "protocol": "SPDY/3.1"}

    def told(name, **more):
        return Metrics(gateway.admin_text("/metrics")).of(name, **labels, **more)

    assert told("upgrade_handshakes_total", outcome="route_limit") == 1
    wait_for(lambda: told("upgrade_sessions_ended_total", cause="idle") == 1, "its end is counted")


def test_over_tls_and_with_affinity(gateway, scripted, certificate):
    backend = scripted(echo())
    annotations = {"steadygate.io/upgrade": "SPDY/3.1", "appgw.ingress.kubernetes.io/cookie-based-affinity": "true"}
    gateway.serve(
        service("api", backend.port),
        secret("tls", certificate("api.example")),
        ingress("api", {"/api": "api"}, host="api.example", secret="tls", annotations=annotations),
    )
    with Client(gateway.https, tls_for="api.example") as client:
        answer = client.ask(request().replace(b"Host: localhost", b"Host: api.example"))
        assert answer.status == 101 and "ApplicationGatewayAffinity" in answer["set-cookie"]
        client.send(b"z" * 100_000)
        assert client.read(100_000) == b"z" * 100_000


def test_explain_and_diff_name_the_protocols(gateway, scripted, tmp_path):
    backend = scripted(echo())
    gateway.serve(*api(backend.port))
    run = steadygate("explain", "--manifests", gateway.manifests, "http://localhost/api")
    assert run.returncode == 0 and "WebSocket, SPDY/3.1, tcp" in run.stdout
    new = tmp_path / "new"
    new.mkdir()
    (new / "site.json").write_text(documents(*api(backend.port, "*")))
    with opened(gateway):
        run = steadygate("diff", "--manifests", new, "--admin", f"127.0.0.1:{gateway.admin}")
        assert run.returncode == 1 and "upgrade_protocols" in run.stdout
        assert "0 of 1 open would be closed" in run.stdout


def test_websocket_is_as_it_was_beside_it(gateway, scripted):
    backend = scripted(answers(ACCEPTED))
    gateway.serve(
        service("chat", backend.port), ingress("chat", {"/chat": "chat"}, annotations={"steadygate.io/upgrade": "*"})
    )
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 101
        assert backend.next().head["upgrade"] == "websocket"
        told = Metrics(gateway.admin_text("/metrics"))
        assert told.of("websocket_sessions_open", object="Ingress default/chat") == 1
        assert told.total("upgrade_sessions_open") == 0
