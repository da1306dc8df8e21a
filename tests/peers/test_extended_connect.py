"""WebSocket over HTTP/2 (RFC 8441): the handshake, what the backend and the client see of it, and the stream as a tunnel."""

import base64
import hashlib
import socket
import struct
import threading
import time
from contextlib import suppress

import pytest
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from gateway import wait_for
from http2_peer import ENABLE_CONNECT_PROTOCOL, MAX_CONCURRENT_STREAMS, Http2Client
from http_backend import MIB
from manifests import ingress, secret, service
from wire import response

CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"


def frame(payload, opcode=0x82):
    """A client's frame, masked with zeros."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xff" + struct.pack(">Q", size)
    return bytes([opcode]) + length + bytes(4) + payload


def accept(exchange, *fields, status="101 Switching Protocols", first=b""):
    """The right answer to a handshake."""
    key = exchange.head["sec-websocket-key"].encode()
    proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    lines = [f"HTTP/1.1 {status}", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {proof}", *fields]
    exchange.send("\r\n".join([*lines, "", ""]).encode() + first)


def echo(exchange):
    accept(exchange)
    while data := exchange.sock.recv(65536):
        exchange.sock.sendall(data)
    exchange.close()


def silent(exchange):
    accept(exchange)
    exchange.heard = exchange.read_to_end()
    exchange.close()


@pytest.fixture(params=["tls", "h2c"])
def connect(request, gateway, certificate):
    """`connect(*ports of backends)`: the gateway with them behind `/chat`, and clients of HTTP/2."""
    clients = []

    def connect(*ports, arguments=(), **named):
        if not gateway.process:
            gateway.serve(
                service("chat", *ports),
                secret("tls", certificate("localhost")),
                ingress("chat", {"/chat": "chat"}, secret="tls", **named),
                arguments=["--h2c", *arguments],
            )
        tls = request.param == "tls"
        clients.append(Http2Client(gateway.https if tls else gateway.http, tls_for="localhost" if tls else None))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def each_transport(*names):
    """For tests in which the transport of the connection does not matter."""
    return pytest.mark.parametrize("connect", names or ["h2c"], indirect=True)


# The handshake


@pytest.mark.parametrize("library", ["python", "node"])
def test_a_session_opens_and_echoes(connect, websocket_server, library):
    server = websocket_server(library)
    client = connect(server.port)
    assert client.setting(ENABLE_CONNECT_PROTOCOL) == 1
    assert client.setting(MAX_CONCURRENT_STREAMS) == 100
    session = client.open("/chat", ("sec-websocket-protocol", "chat"))
    assert session["sec-websocket-protocol"] == "chat"
    session.send(frame(b"hello", 0x81))
    assert session.read(7) == b"\x81\x05hello"
    session.send(CLOSE)
    assert session.read(4) == b"\x88\x02\x03\xe8"
    session.end()
    assert session.read_to_end() == b""
    assert wait_for(lambda: server.closed, "the server has seen the Close")[0] == 1000


def test_what_the_backend_and_the_client_receive(connect, scripted, gateway):
    def script(exchange):
        accept(exchange, "Sec-WebSocket-Protocol: chat", "X-From: backend", "Content-Length: 0")
        exchange.read_to_end()

    backend = scripted(script)
    client = connect(backend.port)
    session = client.open(
        "/chat?room=1%2F2", ("origin", "http://example.com"), ("cookie", "a=1"), ("cookie", "b=2"), ("x-custom", "kept"),
        ("sec-websocket-protocol", "chat, superchat"), ("sec-websocket-extensions", "permessage-deflate"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("content-length", "0"), ("expect", "100-continue"),
        ("x-forwarded-for", "6.6.6.6"),
    )  # fmt: skip
    head = backend.next().head
    assert head.first == "GET /chat?room=1%2F2 HTTP/1.1"
    assert (head["host"], head["upgrade"], head["connection"]) == ("localhost", "websocket", "Upgrade")
    assert head.values("sec-websocket-version") == ["13"]
    [key] = head.values("sec-websocket-key")
    assert key != "dGhlIHNhbXBsZSBub25jZQ==" and len(base64.b64decode(key, validate=True)) == 16
    assert (head["origin"], head.values("cookie"), head["x-custom"]) == ("http://example.com", ["a=1; b=2"], "kept")
    assert head["sec-websocket-protocol"] == "chat, superchat"
    assert head["sec-websocket-extensions"] == "permessage-deflate"
    assert (head["x-forwarded-for"], head["x-forwarded-proto"]) == ("127.0.0.1", client.scheme)
    names = {name for name, _ in head.fields}
    assert not names & {"content-length", "transfer-encoding", "expect", "te"} and not any(":" in name for name in names)

    assert (session["sec-websocket-protocol"], session["x-from"]) == ("chat", "backend")
    names = {name for name, _ in session.fields}
    assert not names & {"connection", "upgrade", "sec-websocket-accept", "content-length", "transfer-encoding"}


@each_transport()
def test_every_handshake_has_another_key(connect, scripted):
    backend = scripted(echo)
    client = connect(backend.port)
    keys = [client.open("/chat") and backend.next().head["sec-websocket-key"] for _ in range(3)]
    assert len(set(keys)) == 3


VERSION = ("sec-websocket-version", "13")
REFUSED = {
    "version 12": ([("sec-websocket-version", "12")], {}, 400, "WebSocketHandshake"),
    "no version": ([], {}, 400, "WebSocketHandshake"),
    "two versions": ([VERSION, VERSION], {}, 400, "WebSocketHandshake"),
    "another protocol": ([VERSION], {"protocol": "connect-udp"}, 501, "ProtocolNotSupported"),
    "no authority": ([VERSION, ("host", "localhost")], {"without": ["authority"]}, 400, "MalformedRequest"),
    "another host": ([VERSION, ("host", "other.example")], {}, 400, "MalformedRequest"),
    "no route": ([VERSION], {"path": "/elsewhere"}, 404, "NoRoute"),
    "plain CONNECT": ([], {"without": ["protocol", "scheme", "path"], "authority": "localhost:80"}, 405, "MethodNotAllowed"),
}


@each_transport()
@pytest.mark.parametrize("fields, named, status, reason", REFUSED.values(), ids=REFUSED.keys())
def test_an_invalid_handshake_is_answered_by_the_gateway(connect, scripted, fields, named, status, reason):
    backend = scripted(echo)
    client = connect(backend.port)
    answer = client.ask(named.pop("path", "/chat"), *fields, **named)
    assert (answer.answer(), answer["x-steadygate-reason"]) == (status, reason)
    if reason == "WebSocketHandshake":
        assert answer["sec-websocket-version"] == "13"
    assert answer.read_to_end().endswith(b"\n")
    assert backend.got_nothing()
    client.open("/chat")  # the connection is as good as it was


@each_transport()
@pytest.mark.parametrize("named", [{"without": ["path"]}, {"without": ["scheme"]}, {"method": "GET"}], ids=str)
def test_pseudo_header_fields_that_do_not_fit_reset_the_stream(connect, scripted, named):
    backend = scripted(echo)
    client = connect(backend.port)
    bad = client.ask("/chat", VERSION, **named)
    client.wait(lambda: bad.reset_by is not None, "a reset")
    assert bad.reset_by == ErrorCodes.PROTOCOL_ERROR and backend.got_nothing()
    client.open("/chat")


@pytest.mark.parametrize("status", ["302 Found", "401 Unauthorized", "403 Forbidden", "426 Upgrade Required"])
def test_a_refusal_of_the_backend_is_an_ordinary_answer(connect, scripted, status):
    fields = ["X-From: backend", "Sec-WebSocket-Accept: x", "Upgrade: websocket", "Connection: Upgrade"]
    backend = scripted(lambda exchange: exchange.send(response(b"not you", status, *fields)))
    client = connect(backend.port)
    for _ in range(2):
        answer = client.ask("/chat", VERSION)
        assert (answer.answer(), answer["x-from"]) == (int(status.split()[0]), "backend")
        assert answer.read_to_end() == b"not you"
        assert not {name for name, _ in answer.fields} & {"upgrade", "connection", "sec-websocket-accept"}


@each_transport()
@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
def test_success_without_an_upgrade_opens_nothing(connect, scripted, status):
    """To an extended CONNECT a 200 would say that the session is open."""
    backend = scripted(lambda exchange: accept(exchange, status=status))
    client = connect(backend.port)
    answer = client.ask("/chat", VERSION)
    assert (answer.answer(), answer["x-steadygate-reason"]) == (502, "WebSocketHandshake")


NOT_A_GRANT = {
    "wrong Accept": b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    "no Accept": b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    "no Upgrade": b"Connection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n",
    "a subprotocol that was not offered": b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n"
                                          b"Sec-WebSocket-Protocol: other\r\n",
}  # fmt: skip


@each_transport()
@pytest.mark.parametrize("lines", NOT_A_GRANT.values(), ids=NOT_A_GRANT.keys())
def test_a_101_that_grants_nothing_opens_no_tunnel(connect, scripted, lines):
    def script(exchange):
        proof = hashlib.sha1(exchange.head["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        proof = base64.b64encode(proof.digest())
        exchange.send(b"HTTP/1.1 101 Switching Protocols\r\n" + lines.replace(b"KEY", proof) + b"\r\nsecret")
        exchange.heard = exchange.read_to_end()

    backend = scripted(script)
    client = connect(backend.port)
    session = client.ask("/chat", VERSION)
    session.send_some(frame(b"early"))
    assert session.answer() == 502
    assert b"secret" not in session.read_to_end()
    exchange = backend.next()
    assert exchange.done.wait(5) and exchange.heard == b""


def test_bytes_that_come_with_the_handshake_are_the_first_of_the_tunnel(connect, scripted):
    def script(exchange):
        time.sleep(0.1)
        accept(exchange, first=b"early from the backend")
        exchange.heard = exchange.read_to_end()

    backend = scripted(script)
    client = connect(backend.port)
    session = client.ask("/chat", VERSION).send(b"early from the client")
    assert session.answer() == 200
    assert session.read(22) == b"early from the backend"
    session.end()
    exchange = backend.next()
    assert exchange.done.wait(5) and exchange.heard == b"early from the client"


# The stream as a tunnel


def test_the_client_may_end_first(connect, scripted):
    def script(exchange):
        accept(exchange)
        exchange.heard = exchange.read_to_end()
        exchange.send(b"after your end")
        exchange.close()

    backend = scripted(script)
    client = connect(backend.port)
    session = client.open("/chat").send(b"last words")
    session.end()
    assert session.read_to_end() == b"after your end"
    assert session.end_stream and session.reset_by is None
    assert backend.next().heard == b"last words"


def test_the_backend_may_end_first(connect, scripted):
    def script(exchange):
        accept(exchange, first=b"my last words")
        exchange.half_close()
        exchange.heard = exchange.read_to_end()

    backend = scripted(script)
    client = connect(backend.port)
    session = client.open("/chat")
    assert session.read_to_end() == b"my last words"
    assert session.end_stream and session.reset_by is None
    session.send(b"yours came, these are mine").end()
    exchange = backend.next()
    assert exchange.done.wait(5)
    assert exchange.heard == b"yours came, these are mine"


@each_transport()
@pytest.mark.parametrize("code", [ErrorCodes.CANCEL, ErrorCodes.NO_ERROR, ErrorCodes.INTERNAL_ERROR], ids=lambda c: c.name)
def test_a_reset_ends_the_session_and_the_connection_to_the_backend(connect, scripted, gateway, code):
    """Also of a backend that ignores the end of its input and sends nothing."""

    def script(exchange):
        accept(exchange)
        exchange.heard = exchange.read_to_end()
        exchange.gone = False
        time.sleep(4)
        deadline = time.monotonic() + 3
        while not exchange.gone and time.monotonic() < deadline:
            try:  # what nobody is there for is answered by a reset
                exchange.send(b"\x89\x00")
                time.sleep(0.2)
            except OSError:
                exchange.gone = True

    backend = scripted(script)
    client = connect(backend.port)
    session, other = client.open("/chat").send(frame(b"hello")), client.open("/chat")
    exchange = backend.next()
    wait_for(lambda: gateway.in_progress() == 2, "two sessions")
    session.reset(code)
    wait_for(lambda: gateway.in_progress() == 1, "the session ends", timeout=5)
    assert exchange.done.wait(15) and exchange.heard == frame(b"hello") and exchange.gone
    assert not other.over()
    wait_for(lambda: '"cause":"error"' in gateway.log() or "cause=\"error\"" in gateway.log(), "the log tells why")


def test_a_backend_that_resets_ends_the_stream(connect, scripted):
    def script(exchange):
        accept(exchange, first=b"words")
        exchange.read(1)
        exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        exchange.sock.close()

    backend = scripted(script)
    client = connect(backend.port)
    session, other = client.open("/chat"), client.open("/chat")
    assert session.read(5) == b"words"
    session.send(b"x")
    session.read_to_end(5)
    assert not other.over() and not client.ended


def test_64_mib_pass_whole(connect, scripted):
    backend = scripted(echo)
    client = connect(backend.port)
    session, block = client.open("/chat"), hashlib.sha256(b"block").digest() * 32768
    message = frame(block * 64)
    sender = threading.Thread(target=session.send, args=(message,), daemon=True)
    sender.start()
    seen, count = hashlib.sha256(), 0
    while count < len(message):
        client.wait(lambda: session.data or session.over(), "more")
        with client.lock:
            data, session.data = session.data, b""
        assert data, f"ended after {count}"
        seen.update(data)
        count += len(data)
    assert seen.digest() == hashlib.sha256(message).digest()


def test_a_client_that_takes_nothing_of_one_stream_holds_back_that_backend_alone(connect, scripted):
    sent = []

    def script(exchange):
        if exchange.head.first != "GET /chat/flood HTTP/1.1":
            return echo(exchange)
        accept(exchange)
        exchange.send(b"\x82\x7f" + struct.pack(">Q", 1 << 40))
        while True:
            sent.append(exchange.sock.send(b"x" * 65536))

    backend = scripted(script)
    client = connect(backend.port)
    stalled = client.open("/chat/flood", stalled=True)
    others = [client.open("/chat") for _ in range(49)]
    wait_for(lambda: stalled.taken == 65535, "the stream's window is used up")

    def still():
        before = sum(sent)
        time.sleep(0.5)
        return sum(sent) == before

    wait_for(still, "the backend is held back")
    assert sum(sent) < 32 * MIB, "no more than kernels keep"
    for _ in range(3):
        for number, session in enumerate(others):
            session.send(frame(b"hello %d" % number))
        for number, session in enumerate(others):
            expected = frame(b"hello %d" % number)
            assert session.read(len(expected)) == expected
    assert stalled.taken == 65535 and not stalled.over()
    stalled.reset(ErrorCodes.CANCEL)


def test_backends_that_take_nothing_hold_back_their_own_streams_alone(connect, scripted):
    """What they do not take fills the windows of their streams; the connection's has room for the others."""
    release = threading.Event()

    def script(exchange):
        if exchange.head.first != "GET /chat/full HTTP/1.1":
            return echo(exchange)
        exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        accept(exchange)
        release.wait(30)
        exchange.heard = exchange.read_to_end()
        exchange.close()

    backend = scripted(script)
    client = connect(backend.port)
    full = [client.open("/chat/full") for _ in range(20)]
    other = client.open("/chat")
    sent = [0] * len(full)

    def fill():
        more = [session.send_some(b"x" * 65536) for session in full]
        sent[:] = [old + new for old, new in zip(sent, more)]
        return not any(more)

    wait_for(lambda: fill() and (time.sleep(0.3) or fill()), "every window is used up", timeout=30)
    other.send(frame(b"hello"))
    assert other.read(11) == frame(b"hello")
    release.set()
    for session, count in zip(full, sent):
        session.send(b"y").end()
        session.read_to_end()
    heard = []
    while not backend.got_nothing():
        exchange = backend.next()
        if exchange.head.first == "GET /chat/full HTTP/1.1":
            assert exchange.done.wait(10)
            heard.append(len(exchange.heard))
    assert sorted(heard) == sorted(count + 1 for count in sent)


@each_transport()
def test_what_sessions_leave_unread_is_given_back_to_the_connection(connect, scripted):
    """A connection outlives many sessions that end with bytes on their way."""

    def script(exchange):
        if exchange.head.first != "GET /chat/gone HTTP/1.1":
            return echo(exchange)
        accept(exchange)
        exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        exchange.sock.close()

    backend = scripted(script)
    client = connect(backend.port)
    total = 0
    for number in range(300):
        session = client.open("/chat/gone")
        for _ in range(16):
            with suppress(ProtocolError):  # it is over
                total += session.send_some(b"x" * 65536)
        if number % 2:
            with suppress(ProtocolError):
                session.reset(ErrorCodes.CANCEL)
        else:
            client.wait(session.over, "the stream's end")
            with suppress(ProtocolError):
                session.end()
    assert total > 40 * MIB, "more than the connection's window"
    session = client.open("/chat")
    assert session.send(frame(b"hello")).read(11) == frame(b"hello")
    # Of 25 MiB; what has been taken is given back once it is half of that.
    size = client.http.outbound_flow_control_window
    wait_for(lambda: client.http.outbound_flow_control_window > 12 * MIB, f"the connection's window, {size} now")


# The connection's life


def test_a_connection_that_breaks_ends_its_sessions(connect, scripted, gateway):
    def script(exchange):
        accept(exchange)
        exchange.heard = exchange.read_to_end()
        exchange.read_to_end()

    backend = scripted(script)
    client = connect(backend.port)
    for _ in range(10):
        client.open("/chat").send(b"last words")
    exchanges = [backend.next() for _ in range(10)]
    wait_for(lambda: gateway.in_progress() == 10, "ten sessions")
    client.close()
    wait_for(lambda: gateway.in_progress() == 0, "the sessions end", timeout=5)
    for exchange in exchanges:
        assert exchange.done.wait(5) and exchange.heard == b"last words"


def test_sessions_keep_their_connection_and_its_end_comes_after_the_last(connect, scripted):
    backend = scripted(echo)
    client = connect(backend.port, arguments=["--header-timeout", "2"])
    one, two = client.open("/chat"), client.open("/chat")
    time.sleep(3)
    for session in (one, two):
        assert session.send(frame(b"still")).read(11) == frame(b"still")
    assert client.goaways == []
    one.end()
    one.read_to_end()
    time.sleep(3)
    assert two.send(frame(b"here")).read(10) == frame(b"here")
    two.end()
    client.wait(lambda: client.ended, "the connection ends once nothing is open on it")
    assert set(client.goaways) == {ErrorCodes.NO_ERROR}


def test_draining_closes_each_session_then_the_connection(connect, websocket_server, gateway):
    server = websocket_server("python")
    client = connect(server.port)
    sessions = [client.open("/chat") for _ in range(20)]
    for session in sessions:
        assert session.send(frame(b"hello")).read(7) == b"\x82\x05hello"
    gateway.terminate()
    reason = b"\x03\xe9going away"
    for session in sessions:
        assert session.read(2 + len(reason)) == bytes([0x88, len(reason)]) + reason
        assert not session.end_stream, "the gateway waits for the answer"
        session.send(frame(reason[:2], 0x88))
    for session in sessions:
        assert session.read_to_end() == b"" and session.end_stream
    client.wait(lambda: client.ended, "the connection ends after the last session")
    assert client.goaways and set(client.goaways) == {ErrorCodes.NO_ERROR}
    assert gateway.exit_code() == 0
    assert server.closed[0] == 1001


@each_transport()
def test_a_client_that_takes_nothing_does_not_hold_up_the_end(connect, scripted, gateway):
    def script(exchange):
        accept(exchange)
        exchange.send(b"\x82\x7f" + struct.pack(">Q", 1 << 40))
        while True:
            exchange.send(b"x" * 65536)

    backend = scripted(script)
    client = connect(backend.port)
    stalled = client.open("/chat", stalled=True)
    wait_for(lambda: stalled.taken == 65535, "the stream's window is used up")
    gateway.terminate()
    assert gateway.exit_code(timeout=20) == 0


@each_transport()
def test_a_hundred_streams_are_the_limit(connect, scripted):
    backend = scripted(silent)
    client = connect(backend.port)
    sessions = [client.open("/chat") for _ in range(100)]
    client.http.remote_settings[MAX_CONCURRENT_STREAMS] = 1000  # a client that does not care
    client.http.remote_settings.acknowledge()
    refused = client.ask("/chat", VERSION)
    client.wait(refused.over, "a refusal")
    assert refused.reset_by == ErrorCodes.REFUSED_STREAM
    assert not any(session.over() for session in sessions)
    sessions[0].end()
    wait_for(lambda: sessions[0].over(), "the first ends")
    client.open("/chat")
