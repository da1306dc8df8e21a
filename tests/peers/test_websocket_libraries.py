"""Every client library with every server library, through the gateway: each end receives what the other sent."""

import pytest

from gateway import Gateway, wait_for
from libraries import PEERS, Server, run_client
from manifests import ingress, secret, service
from websocket_peers import sessions

MIB = 1024 * 1024
DONE = {"code": 1000, "reason": "done"}
#: Over TLS each client and each server once.
PAIRS = [(client, server, "ws") for client in PEERS for server in PEERS] + [
    (client, server, "wss") for client, server in zip(PEERS, [*PEERS][1:] + [*PEERS][:1], strict=True)
]


def told_by_client(deflate):
    return {
        "echo": {"subprotocol": "chat", "deflate": deflate, "text": "å ∀ 🙂", "bytes": 100_000},
        "fragments": {"whole": "in three frames", "parts": "one two three"},
        "pings": {"pong": True, "asked": "pong"},
        "deflated": {"deflate": deflate, "bytes": MIB},
        "large": {"bytes": 64 * MIB},
        "client-closes": {"code": 4001, "reason": "enough"},
        "server-closes": {"code": 4002, "reason": "go away now"},
        "server-aborts": {"code": 1006},
        "client-aborts": {"text": "I am here"},
    }


#: What the server tells of sessions that the client ended.
TOLD_BY_SERVER = {name: DONE for name in ("echo", "fragments", "pings", "deflated", "large")} | {
    "client-closes": {"code": 4001, "reason": "enough"},
    "client-aborts": {"code": 1006},
}


@pytest.fixture(scope="module")
def servers():
    servers = {}
    try:
        for library in PEERS:
            servers[library] = Server(library)
        yield servers
    finally:
        for server in servers.values():
            server.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, servers, certificate):
    """One gateway before all servers, each at its own path."""
    gateway = Gateway(tmp_path_factory.mktemp("libraries") / "manifests")
    services = [service(library, server.port) for library, server in servers.items()]
    paths = ingress("peers", {f"/{library}": library for library in servers}, secret="tls")
    try:
        yield gateway.serve(*services, secret("tls", certificate("localhost")), paths)
    finally:
        gateway.kill()
        print(gateway.log())


@pytest.mark.parametrize(("client", "library", "scheme"), PAIRS)
def test_what_one_end_says_the_other_hears(shared, servers, certificate, client, library, scheme):
    server, deflate = servers[library], "rust" not in (client, library)
    server.ended.clear()
    ca = str(certificate("localhost").path) if scheme == "wss" else ""
    told = told_by_client(deflate)
    assert run_client(client, shared.url(f"/{library}", scheme), *told, ca=ca) == told
    wait_for(lambda: len(server.ended) >= len(TOLD_BY_SERVER), "the server tells of each session's end")
    ended = dict(server.ended)
    ended[f"/{library}/client-aborts"].pop("reason")  # each library has words of its own
    assert ended == {f"/{library}/{name}": told for name, told in TOLD_BY_SERVER.items()}


def test_many_sessions_at_once(gateway, websocket_server):
    gateway.serve(service("echo", websocket_server("python").port), ingress("echo", {"/": "echo"}))
    with sessions(gateway.url("/", "ws"), 50) as sockets:
        for number, socket in enumerate(sockets):
            socket.send(f"message {number}")
        assert [socket.recv(5) for socket in sockets] == [f"message {number}" for number in range(50)]
