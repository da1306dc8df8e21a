"""Sessions to backends that speak HTTP/2 and announce extended CONNECT: several on one connection, and no harm where not."""

import json
import os
import queue
import subprocess
import sys
import threading
import time

import pytest
from h2.errors import ErrorCodes

from gateway import free_port, wait_for
from http2_peer import Http2Client
from http_backend import MIB
from manifests import application_gateway
from websocket_peers import NODE, sessions
from wire import HANDSHAKE, Client, get

NAME = "backend.example"


#: An ASGI application: tells over which version each text came, and sends bytes back.
ECHO = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
    while scope["type"] == "websocket":
        event = await receive()
        if event["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif event["type"] == "websocket.disconnect":
            return
        elif event.get("text"):
            await send({"type": "websocket.send", "text": event["text"] + " over " + scope["http_version"]})
        else:
            await send({"type": "websocket.send", "bytes": event["bytes"]})
"""


class NodeBackend:
    """Node's HTTP/2 server, and what it tells."""

    def __init__(self, certificate, http2=True, connect=True, streams=100):
        told = {"key": certificate.key, "cert": certificate.crt, "http2": http2, "connect": connect, "streams": streams}
        self.process = subprocess.Popen(
            ["node", NODE / "http2_server.js", json.dumps(told)], stdout=subprocess.PIPE, text=True
        )
        self.lines, self.sessions = [], queue.Queue()
        self.port = json.loads(self.process.stdout.readline())["port"]
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            line = json.loads(line)
            self.lines.append(line)
            if "session" in line:
                self.sessions.put(line)

    def next(self):
        return self.sessions.get(timeout=10)

    def told(self, what):
        return [line[what] for line in self.lines if what in line]

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serve(gateway, certificate):
    """`serve(…)`: the gateway with one such backend behind everything."""
    made = []

    def serve(asked=True, **named):
        made.append(NodeBackend(certificate(NAME), **named))
        gateway.serve(*manifests(made[-1].port, certificate(NAME), asked), arguments=["--h2c"])
        wait_for(lambda: '"health":"up"' in gateway.admin_text("/debug/config").replace(" ", ""), "the backend is up")
        return made[-1]

    yield serve
    for backend in made:
        backend.close()


def manifests(port, trusted, asked=True):
    settings = {"protocol": "Https", "hostName": NAME, "trustedRootCertificates": [{"name": "ca"}]}
    settings["webSocket"] = {"backendHttp2": asked}
    objects = application_gateway("tls", port, settings=settings)
    objects[0]["spec"]["trustedRootCertificates"] = [{"name": "ca", "secretRef": {"name": "ca"}}]
    metadata = {"name": "ca", "namespace": "default"}
    return [*objects, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"ca.crt": trusted.crt}}]


def handshake(path):
    return HANDSHAKE.replace(b"/chat", path.encode(), 1)


def opened(client, path="/chat"):
    """Opens a session over HTTP/1.1."""
    answer = client.ask(handshake(path))
    assert answer.status == 101
    assert answer["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    return answer


def echoes(session, words=b"hello"):
    assert session.send(words).read(len(words)) == words


def test_sessions_share_a_connection(serve, gateway):
    backend = serve()
    with Client(gateway.http) as one, Client(gateway.http) as two, Http2Client(gateway.http) as three:
        answer = opened(one)
        assert (answer["sec-websocket-protocol"], answer["upgrade"], answer["connection"]) == ("chat", "websocket", "Upgrade")
        opened(two)
        shared = three.open("/chat?a=1", ("origin", "http://example.com"), ("cookie", "a=1"), ("cookie", "b=2"))
        for session in (one, two, shared):
            echoes(session)
        told = [backend.next() for _ in range(3)]
        ports = {each["port"] for each in told}
        assert len(ports) <= os.cpu_count(), "one for each worker, at most"
        assert len(backend.told("connection")) == len(ports) and {each["session"] for each in told} == {"h2"}
    headers = told[2]["headers"]
    assert headers[":protocol"] == "websocket" and headers[":path"] == "/chat?a=1" and headers[":scheme"] == "https"
    assert headers[":authority"] == NAME
    assert (headers["origin"], headers["sec-websocket-version"]) == ("http://example.com", "13")
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert headers["cookie"] == "a=1; b=2"
    assert not {"sec-websocket-key", "upgrade", "connection", "host"} & set(headers)


@pytest.mark.parametrize("http2", [True, False])
def test_a_backend_that_does_not_offer_it_gets_http1_and_is_not_asked_again(serve, gateway, http2):
    backend = serve(http2=http2, connect=False)
    took = []
    for _ in range(12):
        before, began = len(backend.told("connection")), time.monotonic()
        with Client(gateway.http) as client:
            opened(client)
            elapsed = time.monotonic() - began
            echoes(client)
        assert backend.next()["session"] == "http/1.1"
        if len(backend.told("connection")) > before:
            took.append(elapsed)
    assert min(took) < 1, "its SETTINGS tell, no silence is waited for"
    asked = backend.told("connection")
    assert 1 <= len(asked) <= os.cpu_count(), "once for each worker, at most"
    assert set(asked) == {"h2" if http2 else "http/1.1"}


def test_who_does_not_ask_for_it_gets_http1(serve, gateway):
    backend = serve(asked=False)
    with Client(gateway.http) as client:
        opened(client)
        echoes(client)
    assert backend.next()["session"] == "http/1.1"
    assert backend.told("connection") == []


def test_an_ordinary_request_goes_over_http1(serve, gateway):
    backend = serve()
    with Client(gateway.http) as client:
        opened(client)
    with Client(gateway.http) as client:
        assert client.ask(get("/plain")).body == b"ok"
    assert wait_for(lambda: backend.told("request"), "the request") == ["1.1"]


def test_a_refusal_is_an_ordinary_answer_and_a_wrong_grant_none(serve, gateway):
    backend = serve()
    for _ in range(2):
        with Client(gateway.http) as client, Http2Client(gateway.http) as other:
            answer = client.ask(handshake("/refuse"))
            assert (answer.status, answer["x-from"], answer.body) == (403, "backend", b"not you")
            assert client.ask(handshake("/other")).status == 502
            answer = other.ask("/refuse", ("sec-websocket-version", "13"))
            assert (answer.answer(), answer.read_to_end()) == (403, b"not you")
    assert {backend.next()["session"] for _ in range(6)} == {"h2"}
    wait_for(lambda: len(backend.told("closed")) == 6, "no stream stays open")
    wait_for(lambda: gateway.in_progress() == 0, "nothing is in progress")


def test_more_sessions_than_a_connection_takes_get_another(serve, gateway):
    backend = serve(streams=3)
    clients = [Client(gateway.http) for _ in range(12)]
    for client in clients:
        opened(client)
    for client in clients:
        echoes(client)
    told = [backend.next() for _ in clients]
    ports = [each["port"] for each in told if each["session"] == "h2"]
    assert len(ports) == 12 and all(ports.count(port) <= 3 for port in ports)
    for client in clients:
        client.close()
    wait_for(lambda: len(backend.told("closed")) == 12, "they end")
    before = len(backend.told("connection"))
    for _ in range(6):
        with Client(gateway.http) as client:
            opened(client)
            echoes(client)
        backend.next()
    assert len(backend.told("connection")) == before, "their places are taken again"


def test_a_refusal_keeps_its_place_until_its_body_ends(serve, gateway):
    serve(streams=1)
    refused = [Client(gateway.http) for _ in range(4)]
    for client in refused:
        assert b" 403 " in client.send(handshake("/refuse-slowly")).read_until(b"\r\n\r\n")
    for _ in range(4):
        with Client(gateway.http) as client:
            opened(client)
            echoes(client)
    for client in refused:
        client.close()


def test_a_backend_that_takes_no_streams_gets_http1(serve, gateway):
    backend = serve(streams=0)
    for _ in range(6):
        with Client(gateway.http) as client:
            opened(client)
            echoes(client)
        assert backend.next()["session"] == "http/1.1"


def test_a_session_that_fails_leaves_the_connection_to_the_others(serve, gateway):
    backend = serve()
    for _ in range(12):
        with Client(gateway.http) as client:
            opened(client)
        backend.next()
    before = len(backend.told("connection"))
    for path in ["/fail", "/chat"] * 6:
        with Client(gateway.http) as client:
            opened(client, path)
            echoes(client)
        backend.next()
    assert len(backend.told("connection")) == before


def test_the_end_of_either_side_and_a_reset_are_passed_on(serve, gateway):
    backend = serve()
    with Client(gateway.http) as client:
        opened(client)
        client.send(b"last words").half_close()
        assert client.read_to_end() == b"last words"
    with Client(gateway.http) as client:
        opened(client, "/reset")
        client.send(b"x")
        assert client.read_to_end() == b""
    with Http2Client(gateway.http) as client:
        session = client.open("/chat")
        echoes(session)
        session.reset(ErrorCodes.CANCEL)
        wait_for(lambda: len(backend.told("closed")) == 3, "the backend's streams end", timeout=5)
    wait_for(lambda: gateway.in_progress() == 0, "nothing is in progress", timeout=5)


def test_a_connection_that_breaks_is_made_again(serve, gateway):
    backend = serve()
    for _ in range(3):
        with Client(gateway.http) as one, Client(gateway.http) as two:
            opened(one)
            opened(two, "/break")
            two.send(b"x")
            assert two.read_to_end() == b""
    with Client(gateway.http) as client:
        opened(client)
        echoes(client)
    wait_for(lambda: gateway.in_progress() == 0, "nothing is in progress", timeout=10)


def test_a_connection_that_takes_no_more_keeps_its_sessions_and_gets_no_others(serve, gateway):
    backend = serve()
    with Client(gateway.http) as one, Client(gateway.http) as two:
        for client in (one, two):
            opened(client, "/goaway")
            echoes(client)
        for _ in range(6):
            with Client(gateway.http) as client:
                opened(client)
                echoes(client)
        for client in (one, two):
            echoes(client, b"still here")
    kinds = [backend.next()["session"] for _ in range(8)]
    assert kinds.count("h2") >= 4, kinds


def test_a_stalled_session_holds_up_no_other(serve, gateway):
    """Whether its backend takes nothing, or its client."""
    serve()
    full, flood = [Client(gateway.http) for _ in range(6)], [Client(gateway.http) for _ in range(6)]
    for client in full:
        opened(client, "/full")
        client.sock.setblocking(False)
    for client in flood:
        opened(client, "/flood")
    stuck = time.monotonic() + 2
    while time.monotonic() < stuck:
        for client in full:
            try:
                client.sock.send(b"x" * 65536)
                stuck = max(stuck, time.monotonic() + 0.5)
            except BlockingIOError:
                time.sleep(0.01)
    with Client(gateway.http) as one, Client(gateway.http) as two, Client(gateway.http) as three:
        for client in (one, two, three):
            opened(client)
            echoes(client)
    for client in full + flood:
        client.close()


def test_64_mib_pass_whole(serve, gateway):
    serve()
    with Client(gateway.http) as client:
        opened(client)
        block, count = b"0123456789abcdef" * 65536, 0
        sender = threading.Thread(target=lambda: [client.sock.sendall(block) for _ in range(64)], daemon=True)
        sender.start()
        while count < 64 * MIB:
            data = client.sock.recv(MIB)
            start = count % 16
            assert data == (block + block[:32])[start : start + len(data)]
            count += len(data)


def test_sessions_go_on_when_nothing_leads_to_their_backend_any_more(serve, gateway, certificate):
    serve()
    with Client(gateway.http) as client:
        opened(client)
        gateway.apply("site.json", *manifests(1, certificate(NAME)))
        time.sleep(6)  # what is not used any more is let go of every 5 s
        echoes(client)
        client.half_close()
        assert client.read_to_end() == b""


def test_libraries_talk_through_it(gateway, certificate, tmp_path):
    """Hypercorn as the backend, the `websockets` library as the client."""
    own, port = certificate(NAME), free_port()
    (tmp_path / "tls.key").write_text(own.key)
    (tmp_path / "echo.py").write_text(ECHO)
    server = subprocess.Popen(
        [sys.executable, "-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "--certfile", own.path, "--keyfile", "tls.key",
         "--workers", "0", "echo:app"],
        cwd=tmp_path,
    )  # fmt: skip
    try:
        gateway.serve(*manifests(port, own))
        wait_for(lambda: '"health":"up"' in gateway.admin_text("/debug/config").replace(" ", ""), "the backend is up")
        for _ in range(3):
            with sessions(gateway.url("/chat", "ws"), max_size=None) as [socket]:
                socket.send("hello")
                assert socket.recv(10) == "hello over 2"
                socket.send(bytes(2 * MIB))
                assert len(socket.recv(10)) == 2 * MIB
                socket.close(1000, "bye")
                assert socket.close_code == 1000
    finally:
        server.kill()
        server.wait()


def test_draining_closes_each_session(serve, gateway):
    serve()
    clients = [Client(gateway.http) for _ in range(5)]
    for client in clients:
        opened(client)
    gateway.terminate()
    for client in clients:
        assert client.read(14) == b"\x88\x0c\x03\xe9going away"
        client.send(b"\x88\x82\0\0\0\0\x03\xe9")
        client.read_to_end()
    assert gateway.exit_code() == 0
