"""Connections: which are kept and for how long, and what is spoken on them."""

import time

import pytest
from websockets.sync.client import connect

from curl import curl
from manifests import ingress, service
from wire import Client, get

#: The client's part of an HTTP/2 connection's beginning: preface and empty SETTINGS.
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
#: Types of its frames.
PING, GOAWAY = 6, 7


@pytest.fixture
def page(http_backend):
    return http_backend("page")


def test_connections_to_backends_survive_an_edit(gateway, page, http_backend):
    other, another = http_backend("other"), http_backend("another")
    gateway.write("page.json", service("page", page.port), ingress("page", {"/": "page"}))
    gateway.write("other.json", service("other", other.port), ingress("other", {"/other": "other"}))
    gateway.start("--workers", "1")
    assert curl(gateway.url("/x")).status == 200
    before = list(page.connections)
    for number in range(3):
        gateway.apply(
            "other.json",
            service("other", *[other.port, another.port][: 1 + number % 2]),
            ingress("other", {f"/other-{number}": "other"}),
        )
        assert curl(gateway.url(f"/other-{number}")).status == 200
        assert curl(gateway.url("/x")).json()["server"] == "page"
    assert page.connections == before


def test_http2_with_prior_knowledge(gateway, page, websocket_server):
    echo = websocket_server("python")
    gateway.serve(
        service("page", page.port),
        service("echo", echo.port),
        ingress("site", {"/": "page", "/chat": "echo"}),
        arguments=["--h2c"],
    )
    for flag, version in [("--http2-prior-knowledge", "2"), ("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")]:
        result = curl(gateway.url("/x"), flag, "-d", "body")
        assert (result.status, result.version) == (200, version)
        assert result.json()["length"] == 4
    with connect(gateway.url("/chat", "ws"), proxy=None) as session:
        session.send("hello")
        assert session.recv(5) == "hello"


def test_http2_in_clear_text_is_off_unless_asked_for(gateway, page):
    gateway.serve(service("page", page.port), ingress("page", {"/": "page"}))
    assert curl(gateway.url("/x")).version == "1.1"
    with pytest.raises(AssertionError, match="curl ended with"):
        curl(gateway.url("/x"), "--http2-prior-knowledge")
    with Client(gateway.http) as client:
        assert not client.send(HTTP2).read_to_end().startswith(b"\0")


def slow(port, begin):
    """Seconds until the gateway lets go of a client that begins so, while another is served."""
    since = time.monotonic()
    with Client(port) as client, Client(port) as busy:
        begin(client)
        client.sock.settimeout(0.05)
        while True:
            assert busy.ask(get("/x")).status == 200
            try:
                if not client.sock.recv(65536):
                    return time.monotonic() - since
            except TimeoutError:
                assert time.monotonic() - since < 15
            except ConnectionError:
                return time.monotonic() - since


BEGINNINGS = {
    "silence": lambda client: None,
    "half a header": lambda client: client.send(b"GET /x HTTP/1.1\r\nHost: local"),
    "an idle connection": lambda client: client.ask(get("/x")),
}


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_client_that_is_slow_to_ask_is_let_go(gateway, page, beginning):
    gateway.serve(service("page", page.port), ingress("page", {"/": "page"}), arguments=["--header-timeout", "2"])
    assert 1.9 < slow(gateway.http, BEGINNINGS[beginning]) < 5


def test_a_header_that_trickles_gets_no_longer(gateway, page):
    gateway.serve(service("page", page.port), ingress("page", {"/": "page"}), arguments=["--header-timeout", "1"])
    since = time.monotonic()
    with Client(gateway.http) as client, pytest.raises((ConnectionError, EOFError)):
        client.send(b"GET /x HTTP/1.1\r\n")
        client.sock.settimeout(0.1)
        while time.monotonic() - since < 10:
            client.send(b"X-Slow: 1\r\n")
            try:
                client.read(1)
                client.read_until(b"no more")
            except TimeoutError:
                pass
    assert time.monotonic() - since < 5


def test_an_idle_http2_connection_is_let_go(gateway, page):
    """It receives GOAWAY, and is closed when it has answered."""
    arguments = ["--header-timeout", "1", "--h2c"]
    gateway.serve(service("page", page.port), ingress("page", {"/": "page"}), arguments=arguments)
    since, seen = time.monotonic(), []
    with Client(gateway.http) as client, pytest.raises(EOFError):
        client.send(HTTP2)
        while True:
            head = client.read(9)
            payload, kind, flags = client.read(int.from_bytes(head[:3])), head[3], head[4]
            seen.append(kind)
            if kind == PING and not flags:
                client.send(bytes([0, 0, 8, PING, 1, 0, 0, 0, 0]) + payload)
    assert GOAWAY in seen
    assert 0.9 < time.monotonic() - since < 5
