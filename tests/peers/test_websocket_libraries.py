"""Every client library with every server library, through the gateway, in clear text and over TLS."""

import hashlib

import pytest

from gateway import wait_for
from manifests import ingress, secret, service
from websocket_peers import CLIENTS, SERVERS, pattern, sessions

MIB = 1024 * 1024
SIXTEEN = {"bytes": 16 * MIB, "sha256": hashlib.sha256(pattern(16 * MIB)).hexdigest()}


@pytest.fixture(params=SERVERS)
def server(request, websocket_server):
    return websocket_server(request.param)


@pytest.fixture(params=CLIENTS)
def client(request, gateway, certificate):
    """A client of the gateway; its first argument is the scheme."""
    ca = certificate("localhost").path
    return lambda scheme, *arguments, **named: CLIENTS[request.param](
        gateway.url("/socket", scheme), *arguments, ca=ca, **named
    )


@pytest.fixture
def served(gateway, server, certificate):
    return gateway.serve(
        service("echo", server.port),
        secret("tls", certificate("localhost")),
        ingress("echo", {"/": "echo"}, secret="tls"),
    )


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_messages_of_every_kind_and_a_close(served, server, client, scheme):
    steps = [
        {"send": "hello"},
        {"send": "å ∀ 🙂"},
        {"bytes": 100_000},
        {"fragments": ["in ", "three ", "frames"]},
        {"send": "fragments"},
        {"ping": "are you there"},
        {"close": [4001, "enough"]},
    ]
    result = client(scheme, steps, subprotocols=["chat", "superchat"])
    assert result["received"] == [
        "hello",
        "å ∀ 🙂",
        {"bytes": 100_000, "sha256": hashlib.sha256(pattern(100_000)).hexdigest()},
        "in three frames",
        "one two three",
        "pong are you there",
    ]
    assert result["subprotocol"] == "chat"
    assert result["deflate"], "permessage-deflate is for the two ends to agree on"
    assert result["close"] == [4001, "enough"]
    assert wait_for(lambda: server.closed, "the server hears of the close") == [4001, "enough"]


def test_the_servers_close_reaches_the_client(served, client):
    result = client("ws", [{"send": "close 4002 go away now"}, {"await_close": True}])
    assert result["close"] == [4002, "go away now"]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_message_of_16_mib(served, client, scheme):
    result = client(scheme, [{"bytes": 16 * MIB}, {"close": [1000, ""]}], deflate=False)
    assert result["received"] == [SIXTEEN]
    assert not result["deflate"]


def test_a_message_of_16_mib_deflated(served, client):
    assert client("wss", [{"bytes": 16 * MIB}, {"close": [1000, ""]}])["received"] == [SIXTEEN]


def test_no_subprotocol_is_made_up(served, client):
    assert client("ws", [{"close": [1000, ""]}])["subprotocol"] == ""


def test_many_sessions_at_once(gateway, served):
    with sessions(gateway.url("/", "ws"), 50) as sockets:
        for number, socket in enumerate(sockets):
            socket.send(f"message {number}")
        assert [socket.recv(5) for socket in sockets] == [f"message {number}" for number in range(50)]
