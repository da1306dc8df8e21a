"""The WebSocket handshake, byte by byte: what the backend gets, and that only the backend's right answer opens a tunnel."""

import base64
import hashlib
import socket
import time

import pytest

from gateway import wait_for
from manifests import ingress, secret, service
from metrics import Metrics
from wire import ACCEPTED, HANDSHAKE, Client, answers, get, response

HOST = "server.example.com"


def chat(port):
    return [service("chat", port), ingress("chat", {"/chat": "chat"}, host=HOST)]


def handshake(without=(), head="GET /chat HTTP/1.1", body=b"", **changed):
    """The documents' handshake with header fields changed or left out; `_` is written for `-`."""
    changed = {name.replace("_", "-").lower(): value for name, value in changed.items()}
    lines = [head]
    for line in HANDSHAKE.decode().split("\r\n")[1:-2]:
        name = line.split(":")[0].lower()
        if name in changed:
            line = f"{line.split(':')[0]}: {changed.pop(name)}"
        if name not in without:
            lines.append(line)
    lines += [f"{name}: {value}" for name, value in changed.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_the_documents_own_handshake_passes_unaltered(gateway, scripted):
    backend = scripted(answers(ACCEPTED))
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        answer = client.ask(HANDSHAKE)
        assert answer.status == 101
        assert answer["upgrade"].lower() == "websocket"
        assert answer["connection"].lower() == "upgrade"
        assert answer["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert answer["sec-websocket-protocol"] == "chat"
    head = backend.next().head
    assert head.first == "GET /chat HTTP/1.1"
    for line in HANDSHAKE.decode().split("\r\n")[1:-2]:
        name, value = line.split(": ", 1)
        assert head.values(name) == [value] or (name == "Connection" and head[name].lower() == "upgrade")
    added = {name for name, _ in head.fields} - {line.split(b":")[0].decode().lower() for line in HANDSHAKE.split(b"\r\n")}
    assert added <= {
        "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip", "x-request-id", "via",
    }  # fmt: skip
    assert head["x-forwarded-for"] == "127.0.0.1"
    assert head["x-forwarded-proto"] == "http"


def test_a_handshake_without_an_outcome_is_counted(gateway, scripted):
    backend = scripted(lambda exchange: exchange.read_to_end())
    longer = {"appgw.ingress.kubernetes.io/backend-path-prefix": "/" + "x" * 1000}
    gateway.serve(
        service("chat", backend.port),
        ingress("chat", {"/chat": "chat"}, host=HOST),
        ingress("long", {"/long": "chat"}, host=HOST, annotations=longer),
    )
    with Client(gateway.http) as client:
        client.send(HANDSHAKE)
        backend.next()
    with Client(gateway.http) as client:
        assert client.ask(handshake(head=f"GET /long/{'x' * 65000} HTTP/1.1")).status == 400

    def counted(name, outcome):
        told = Metrics(gateway.admin_text("/metrics"))
        return told.of("websocket_handshakes_total", object=f"Ingress default/{name}", outcome=outcome)

    wait_for(lambda: counted("chat", "abandoned") == 1, "the client's leave is counted")
    assert counted("long", "malformed") == 1
    assert counted("long", "abandoned") is None


def test_over_tls_the_backend_gets_the_same_handshake(gateway, scripted, certificate):
    backend = scripted(answers(ACCEPTED))
    gateway.serve(
        service("chat", backend.port),
        secret("tls", certificate(HOST)),
        ingress("chat", {"/chat": "chat"}, host=HOST, secret="tls"),
    )
    with Client(gateway.https, tls_for=HOST) as client:
        assert client.ask(HANDSHAKE).status == 101
    head = backend.next().head
    assert head["sec-websocket-key"] == "dGhlIHNhbXBsZSBub25jZQ=="
    assert head["x-forwarded-proto"] == "https"


def test_header_names_are_written_as_the_rfc_does(gateway, scripted):
    """Names are without case, but there are backends that look for `Sec-WebSocket-Key` as the RFC writes it."""
    backend = scripted(answers(ACCEPTED))
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        client.ask(HANDSHAKE.replace(b"Sec-WebSocket-", b"sec-websocket-"))
    raw = backend.next().head.raw
    assert b"\r\nSec-WebSocket-Key: " in raw
    assert b"\r\nSec-WebSocket-Version: 13\r\n" in raw
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in raw


def test_bytes_that_come_with_the_handshake_are_the_first_of_the_tunnel(gateway, scripted):
    def script(exchange):
        exchange.send(ACCEPTED + b"early from the backend")
        exchange.early = exchange.read(len(b"early from the client"))

    backend = scripted(script)
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        client.send(HANDSHAKE + b"early from the client")
        assert client.answer().status == 101
        assert client.read(22) == b"early from the backend"
    exchange = backend.next()
    assert exchange.done.wait(5)
    assert exchange.early == b"early from the client"


EARLY = b"early from the backend"


@pytest.mark.parametrize("pieces", [
    [bytes([byte]) for byte in ACCEPTED] + [EARLY],
    [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ACCEPTED + EARLY],
    [b"HTTP/1.1 102 Processing\r\n\r\n", ACCEPTED, EARLY],
    [ACCEPTED.replace(b"\r\n\r\n", b"\r\n" + b"X-More: 1\r\n" * 80 + b"\r\n") + EARLY],
], ids=["byte by byte", "103 before", "102 before", "many headers"])  # fmt: skip
def test_a_101_is_understood_however_it_comes(gateway, scripted, pieces):
    def script(exchange):
        for piece in pieces:
            exchange.send(piece)
            time.sleep(0.002)
        exchange.late = exchange.read(4)
        exchange.send(b"echo")

    backend = scripted(script)
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 101
        assert client.read(len(EARLY)) == EARLY
        client.send(b"late")
        assert client.read(4) == b"echo"
    assert backend.next().late == b"late"
    assert backend.got_nothing()


@pytest.mark.parametrize("pieces, body", [
    ([b"HT", b"TP/1.1 403 Forbidden\r\nContent-Le", b"ngth: 5\r\n\r\nno", b"pe!"], b"nope!"),
    ([b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n", b"3\r\npe!\r\n0\r\n\r\n"], b"nope!"),
    ([b"HTTP/1.1 403 Forbidden\r\n\r\nuntil ", b"the end"], b"until the end"),
    ([b"HTTP/1.0 403 Forbidden\r\nContent-Length: 2\r\n\r\n", b"no"], b"no"),
], ids=["in pieces", "chunked", "until the end", "HTTP/1.0"])  # fmt: skip
def test_another_answer_comes_whole(gateway, scripted, pieces, body):
    def script(exchange):
        for piece in pieces:
            exchange.send(piece)
            time.sleep(0.01)
        exchange.sock.shutdown(socket.SHUT_WR)

    backend = scripted(script)
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        answer = client.ask(HANDSHAKE)
        assert (answer.status, answer.body) == (403, body)
    assert backend.next().done.wait(5)
    assert backend.got_nothing()


def test_a_backend_that_breaks_off_its_answer_is_a_bad_one(gateway, scripted):
    def script(exchange):
        exchange.send(ACCEPTED[:40])
        exchange.sock.shutdown(socket.SHUT_WR)

    backend = scripted(script)
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 502


def changed_answer(find, put):
    assert find in ACCEPTED
    return ACCEPTED.replace(find, put)


NOT_A_GRANT = {
    "wrong Accept": changed_answer(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOp="),
    "no Accept": changed_answer(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", b""),
    "two Accepts": changed_answer(b"\r\n\r\n", b"\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"),
    "no Upgrade": changed_answer(b"Upgrade: websocket\r\n", b""),
    "another protocol": changed_answer(b"Upgrade: websocket", b"Upgrade: h2c"),
    "no Connection": changed_answer(b"Connection: Upgrade\r\n", b""),
    "Connection names something else": changed_answer(b"Connection: Upgrade", b"Connection: keep-alive"),
    "a subprotocol that was not offered": changed_answer(b"Protocol: chat", b"Protocol: other"),
    "an extension that was not offered": changed_answer(
        b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    ),
}


@pytest.mark.parametrize("raw", NOT_A_GRANT.values(), ids=NOT_A_GRANT.keys())
def test_a_101_that_grants_nothing_opens_no_tunnel(gateway, scripted, raw):
    backend = scripted(answers(raw))
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 502
    exchange = backend.next()
    assert exchange.done.wait(5), "the gateway leaves the connection to the backend open"
    assert exchange.rest == b""


def test_a_101_that_nobody_asked_for_is_a_bad_answer(gateway, scripted):
    backend = scripted(answers(ACCEPTED))
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        assert client.ask(get("/chat", HOST)).status == 502
    assert backend.next().done.wait(5)


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "400 Bad Request", "401 Unauthorized", "403 Forbidden",
                                    "404 Not Found", "426 Upgrade Required", "500 Internal Server Error"])  # fmt: skip
def test_any_other_answer_is_http_and_so_stays_the_connection(gateway, scripted, status):
    backend = scripted(answers(response(b"no", status, "X-From: backend")))
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        answer = client.ask(HANDSHAKE)
        assert (answer.status, answer.body, answer["x-from"]) == (int(status.split()[0]), b"no", "backend")
        # What follows is a request to the gateway, not bytes to the backend.
        if "close" not in answer["connection"].lower():
            assert client.ask(get("/private", HOST)).status == 404
    exchange = backend.next()
    assert exchange.rest == b""
    assert backend.got_nothing()


def test_a_request_pipelined_behind_a_refused_upgrade_is_not_smuggled(gateway, scripted):
    backend = scripted(answers(response(b"no", "426 Upgrade Required")))
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        client.send(HANDSHAKE + get("/private", HOST))
        answer = client.answer()
        assert answer.status == 426
        # The second request is the gateway's to answer, or the connection is over.
        if "close" not in answer["connection"].lower():
            assert client.answer().status == 404
    assert backend.next().rest == b""
    assert backend.got_nothing()


REFUSED = {
    "version 12": (handshake(sec_websocket_version="12"), 426),
    "several versions": (handshake(sec_websocket_version="13, 8"), 426),
    "no version": (handshake(without=["sec-websocket-version"]), 426),
    "no key": (handshake(without=["sec-websocket-key"]), 400),
    "key is not 16 bytes": (handshake(sec_websocket_key="c2hvcnQ="), 400),
    "key is not base64": (handshake(sec_websocket_key="!!!!!!!!!!!!!!!!!!!!!!!!"), 400),
    "two keys": (HANDSHAKE[:-2] + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 400),
    "a body": (handshake(content_length="5", body=b"hello"), 400),
    "a chunked body": (handshake(transfer_encoding="chunked", body=b"5\r\nhello\r\n0\r\n\r\n"), 400),
    "POST": (handshake(head="POST /chat HTTP/1.1", content_length="0"), 405),
}


@pytest.mark.parametrize("request_bytes, status", REFUSED.values(), ids=REFUSED.keys())
def test_a_handshake_that_breaks_the_rfc_is_answered_by_the_gateway(gateway, scripted, request_bytes, status):
    backend = scripted(answers(ACCEPTED))
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        answer = client.ask(request_bytes)
        assert answer.status == status or (answer.status, status) == (400, 405)
        if status == 426:
            assert answer["sec-websocket-version"] == "13"
            assert answer["upgrade"].lower() == "websocket"
    assert backend.got_nothing()


#: Handshakes as clients and proxies before the gateway write them.
UNUSUAL = {
    "a list in Connection": handshake(connection="keep-alive, Upgrade"),
    "several Connections": handshake(connection="keep-alive")[:-2] + b"Connection: upgrade\r\n\r\n",
    "empty elements": handshake(connection=", Upgrade,,", upgrade="websocket,"),
    "another case": handshake(connection="UPGRADE", upgrade="WebSocket"),
    "another protocol besides": handshake(upgrade="h2c, websocket", connection="Upgrade, HTTP2-Settings"),
    "spare bits in the key": handshake(sec_websocket_key="dGhlIHNhbXBsZSBub25jZR=="),
    "spaces around the key": handshake(sec_websocket_key="  dGhlIHNhbXBsZSBub25jZQ== \t"),
    "Content-Length: 0": handshake(content_length="0"),
    "the whole URL": handshake(head=f"GET http://{HOST}/chat HTTP/1.1"),
    "several lines of subprotocols": handshake(sec_websocket_protocol="superchat")[:-2]
    + b"Sec-WebSocket-Protocol: chat\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_an_unusual_handshake_opens_a_session(gateway, scripted, request_bytes):
    def script(exchange):
        key = exchange.head["sec-websocket-key"]
        proof = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
        exchange.send(ACCEPTED.replace(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", proof))
        exchange.send(exchange.read(4))

    backend = scripted(script)
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        assert client.ask(request_bytes).status == 101
        assert client.send(b"echo").read(4) == b"echo"
    head = backend.next().head
    assert (head["upgrade"], head["connection"].lower()) == ("websocket", "upgrade")
    assert head["sec-websocket-key"].encode() in request_bytes
    assert head.first == "GET /chat HTTP/1.1"


#: Grants as servers write them.
UNUSUAL_GRANTS = {
    "another case": ACCEPTED.replace(b"websocket", b"WebSocket").replace(b": Upgrade", b": upgrade"),
    "a list in Connection": ACCEPTED.replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade"),
    "several Connections": ACCEPTED.replace(b"Connection: Upgrade", b"Connection: keep-alive\r\nConnection: Upgrade"),
    "Content-Length: 0": ACCEPTED.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"),
    "chunked": ACCEPTED.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "an empty subprotocol": ACCEPTED.replace(b"Protocol: chat", b"Protocol:"),
    "an empty list of extensions": ACCEPTED.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions:\r\n\r\n"),
    "no words after the status": ACCEPTED.replace(b"101 Switching Protocols", b"101"),
    "other words after the status": ACCEPTED.replace(b"Switching Protocols", b"Web Socket Protocol Handshake"),
}


@pytest.mark.parametrize("raw", UNUSUAL_GRANTS.values(), ids=UNUSUAL_GRANTS.keys())
def test_an_unusual_grant_opens_a_session(gateway, scripted, raw):
    def script(exchange):
        exchange.send(raw)
        exchange.send(exchange.read(4))

    backend = scripted(script)
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        answer = client.ask(HANDSHAKE)
        assert (answer.status, answer["content-length"], answer["transfer-encoding"]) == (101, "", "")
        assert answer["upgrade"].lower() == "websocket"
        assert client.send(b"echo").read(4) == b"echo"


UNASKED = {
    "Upgrade is not in Connection": handshake(connection="keep-alive"),
    "no Connection": handshake(without=["connection"]),
    "HTTP/1.0": handshake(head="GET /chat HTTP/1.0"),
    "h2c": handshake(upgrade="h2c", connection="Upgrade, HTTP2-Settings", http2_settings="AAMAAABkAAQAAP__"),
    "another protocol": handshake(upgrade="carrier-pigeon"),
}


@pytest.mark.parametrize("request_bytes", UNASKED.values(), ids=UNASKED.keys())
def test_what_is_no_websocket_handshake_is_plain_http_or_refused(gateway, scripted, request_bytes):
    """The backend sees no Upgrade, and its 101 (it may believe whatever it likes) opens nothing."""
    backend = scripted(answers(ACCEPTED))
    gateway.serve(*chat(backend.port))
    with Client(gateway.http) as client:
        assert client.ask(request_bytes).status in (400, 426, 502)
    if not backend.got_nothing():
        head = backend.next().head
        assert head.values("upgrade") == []
        assert "upgrade" not in head["connection"].lower()
        assert head.values("http2-settings") == []


def test_no_route_and_no_backend_answer_the_handshake_as_they_answer_http(gateway):
    gateway.serve(service("chat"), ingress("chat", {"/chat": "chat"}, host=HOST))
    with Client(gateway.http) as client:
        assert client.ask(handshake(head="GET /elsewhere HTTP/1.1")).status == 404
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 503


def test_a_backend_that_does_not_answer_the_handshake_is_given_up(gateway, scripted):
    def script(exchange):
        exchange.read_to_end()

    backend = scripted(script)
    seconds = {"appgw.ingress.kubernetes.io/request-timeout": "1"}
    gateway.serve(service("chat", backend.port), ingress("chat", {"/chat": "chat"}, host=HOST, annotations=seconds))
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 504
    assert backend.next().done.wait(5)
