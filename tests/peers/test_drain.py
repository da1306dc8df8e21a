"""SIGTERM: not ready, no new connections, requests finish, sessions receive 1001, exit code 0."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed

from curl import curl
from gateway import wait_for
from libraries import PEERS, run_client
from manifests import ingress, secret, service
from websocket_peers import sessions, trusting
from wire import ACCEPTED, HANDSHAKE, Client, get


@pytest.fixture
def echo(websocket_server):
    return websocket_server("python")


def close_frame(sock):
    """Waits for the end of a session and tells the gateway's Close."""
    with pytest.raises(ConnectionClosed) as ended:
        sock.recv(10)
    return ended.value.rcvd.code


def test_an_idle_gateway_ends_at_once(gateway):
    gateway.serve(service("none"))
    gateway.terminate()
    assert gateway.exit_code(timeout=3) == 0


def test_a_request_under_way_is_finished(gateway, http_backend):
    backend = http_backend()
    gateway.serve(service("one", backend.port), ingress("one", {"/": "one"}))
    with Client(gateway.http) as client:
        client.send(get("/slow"))
        assert backend.reached.wait(5)
        gateway.terminate()
        wait_for(lambda: gateway.admin_status("/readyz") in (503, None), "the gateway is not ready any more")
        backend.release.set()
        answer = client.answer()
        assert (answer.status, answer.body) == (200, b"finished")
        assert answer["connection"].lower() == "close"
        assert client.is_closed()
    assert gateway.exit_code() == 0


def test_a_request_under_way_over_http2_is_finished(gateway, http_backend, certificate):
    backend = http_backend()
    gateway.serve(
        service("one", backend.port),
        secret("tls", certificate("localhost")),
        ingress("one", {"/": "one"}, secret="tls"),
    )
    results = []
    asking = threading.Thread(
        target=lambda: results.append(curl(gateway.url("/slow", "https"), "--http2", ca=certificate("localhost").path))
    )
    asking.start()
    assert backend.reached.wait(5)
    gateway.terminate()
    wait_for(lambda: gateway.admin_status("/readyz") in (503, None), "the gateway is not ready any more")
    backend.release.set()
    asking.join(10)
    assert [(result.status, result.body) for result in results] == [(200, b"finished")]
    assert gateway.exit_code() == 0


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_both_peers_of_a_session_receive_1001(gateway, echo, certificate, scheme):
    gateway.serve(
        service("echo", echo.port),
        secret("tls", certificate("localhost")),
        ingress("echo", {"/": "echo"}, secret="tls"),
    )
    context = trusting(cafile=certificate("localhost").path) if scheme == "wss" else None
    with sessions(gateway.url("/", scheme), 5, ssl=context) as sockets:
        for sock in sockets:
            sock.send("hello")
            assert sock.recv(5) == "hello"
        gateway.terminate()
        assert [close_frame(sock) for sock in sockets] == [1001] * 5
    assert wait_for(lambda: echo.closed, "the backend is told too")[0] == 1001
    assert gateway.exit_code() == 0


@pytest.mark.parametrize("library", PEERS)
def test_every_library_sees_the_same_close(gateway, echo, library):
    gateway.serve(service("echo", echo.port), ingress("echo", {"/": "echo"}))
    results = []
    talking = threading.Thread(target=lambda: results.append(run_client(library, gateway.url("", "ws"), "waits")))
    talking.start()
    wait_for(lambda: echo.answered, "the session is open and talks")
    gateway.terminate()
    talking.join(15)
    assert results[0]["waits"]["code"] == 1001
    assert gateway.exit_code() == 0


def test_the_close_goes_between_frames(gateway, scripted):
    """A frame of the backend's is half sent when the drain begins: it is let finish, and then comes the Close."""
    text = b"0123456789" * 10

    def script(exchange):
        exchange.send(ACCEPTED + b"\x81\x64" + text[:50])
        exchange.heard = exchange.read(1)
        exchange.send(text[50:])
        exchange.read_to_end()

    backend = scripted(script)
    gateway.serve(service("chat", backend.port), ingress("chat", {"/chat": "chat"}))
    with Client(gateway.http) as client:
        client.send(HANDSHAKE)
        client.answer()
        assert client.read(52) == b"\x81\x64" + text[:50]
        gateway.terminate()
        wait_for(lambda: gateway.admin_status("/readyz") in (503, None), "the gateway is not ready any more")
        client.send(b"\x81\x80\0\0\0\0")  # an empty message, masked: the backend goes on
        assert client.read(50) == text[50:]
        assert client.read(1) == b"\x88", "a Close frame"
        length = client.read(1)[0]
        assert client.read(length)[:2] == (1001).to_bytes(2)
        client.send(b"\x88\x82\0\0\0\0\x03\xe9").half_close()
    assert gateway.exit_code() == 0


def test_a_peer_that_does_not_answer_the_close_is_waited_for_until_the_drain_timeout(gateway, scripted):
    backend = scripted(lambda exchange: (exchange.send(ACCEPTED), exchange.read_to_end()))
    gateway.write("site.json", service("chat", backend.port), ingress("chat", {"/chat": "chat"}))
    gateway.start("--drain-timeout", "1")
    with Client(gateway.http) as client:
        client.send(HANDSHAKE)
        client.answer()
        gateway.terminate()
        assert gateway.exit_code(timeout=5) == 1, "a session was cut, and the exit code says so"


def test_new_connections_are_not_accepted(gateway, http_backend):
    backend = http_backend()
    gateway.serve(service("one", backend.port), ingress("one", {"/": "one"}))
    with Client(gateway.http) as client:
        client.send(get("/slow"))
        assert backend.reached.wait(5)
        gateway.terminate()

        def refused():
            try:
                socket.create_connection(("127.0.0.1", gateway.http), timeout=1).close()
                return False
            except OSError:
                return True

        wait_for(refused, "connections are refused")
        backend.release.set()
        assert client.answer().status == 200
    assert gateway.exit_code() == 0


def test_whoever_was_accepted_is_answered(gateway, http_backend):
    """Clients that are at it, clients that come just then, and clients that connected before but ask after the signal."""
    backend = http_backend()
    gateway.serve(service("one", backend.port), ingress("one", {"/": "one"}))
    signalled = threading.Event()
    busy = [Client(gateway.http) for _ in range(40)]
    assert [client.ask(get("/bytes/10")).status for client in busy] == [200] * 40

    def ask_until_told_to_close(client):
        with client:
            while True:
                answer = client.ask(get("/bytes/10"))
                assert answer.status == 200
                if answer["connection"].lower() == "close":
                    return "told" if client.is_closed() else "not closed"

    def connect_and_ask():
        signalled.wait()
        try:
            client = Client(gateway.http)
        except (ConnectionRefusedError, ConnectionResetError):  # a reset: the port closed while they shook hands
            return "refused"
        return ask_until_told_to_close(client)

    def ask_late(client):
        signalled.wait()
        time.sleep(0.02)  # so long after the signal
        return ask_until_told_to_close(client)

    with ThreadPoolExecutor(100) as pool:
        outcomes = [pool.submit(ask_until_told_to_close, client) for client in busy]
        outcomes += [pool.submit(connect_and_ask) for _ in range(40)]
        outcomes += [pool.submit(ask_late, Client(gateway.http)) for _ in range(20)]
        gateway.terminate()
        signalled.set()
        outcomes = [outcome.exception(20) or outcome.result() for outcome in outcomes]
    assert outcomes[:40] == ["told"] * 40
    assert set(outcomes[40:80]) <= {"told", "refused"}
    assert outcomes[80:] == ["told"] * 20
    with pytest.raises(ConnectionRefusedError):
        Client(gateway.http)
    assert gateway.exit_code() == 0
