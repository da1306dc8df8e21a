"""An edit is served at once, and touches only what it is about."""

import json
import statistics
import time
from contextlib import contextmanager

import pytest
from websockets.sync.client import connect

from curl import curl
from gateway import wait_for
from manifests import ingress, secret, service
from websocket_peers import sessions, trusting
from wire import Client, get


@pytest.fixture
def echo(websocket_server):
    return websocket_server("python")


@pytest.fixture
def page(http_backend):
    return http_backend("page")


@pytest.fixture
def served(gateway, echo, page, certificate):
    gateway.write("services.json", service("echo", echo.port), service("page", page.port))
    gateway.write("tls.json", secret("tls", certificate("localhost")))
    gateway.write("chat.json", ingress("chat", {"/chat": "echo"}, secret="tls"))
    gateway.write("page.json", ingress("page", {"/page": "page"}))
    return gateway.start()


@contextmanager
def lasting_sessions(gateway, count=5):
    """Open sessions that must live until the end."""
    with sessions(gateway.url("/chat", "ws"), count) as sockets:
        yield sockets
        for number, socket in enumerate(sockets):
            socket.send(f"still here {number}")
            assert socket.recv(5) == f"still here {number}"


def test_an_edit_is_served_within_100_ms(gateway, served):
    """From the file's change to the first answer by the new rule. The middle of nine."""
    took = []
    with Client(gateway.http) as client:
        for number in range(9):
            path = f"/new-{number}"
            assert client.ask(get(path)).status == 404
            gateway.write("page.json", ingress("page", {path: "page"}))
            written = time.monotonic()
            while client.ask(get(path)).status != 200:
                assert time.monotonic() - written < 5
                time.sleep(0.001)
            took.append((time.monotonic() - written) * 1000)
    print("served after ms:", [round(ms) for ms in took])
    assert statistics.median(took) < 100


def test_sessions_survive_edits_of_other_routes(gateway, served):
    with lasting_sessions(gateway) as sockets:
        for number in range(10):
            gateway.apply("page.json", ingress("page", {f"/page-{number}": "page"}))
            sockets[0].send("between edits")
            assert sockets[0].recv(5) == "between edits"


def test_sessions_survive_edits_of_their_own_route(gateway, served):
    with lasting_sessions(gateway):
        gateway.apply("chat.json", ingress("chat", {"/chat": "page"}))
        assert curl(gateway.url("/chat")).json()["server"] == "page"


def test_sessions_survive_a_service_without_endpoints(gateway, served, page):
    with lasting_sessions(gateway):
        gateway.write("services.json", service("echo"), service("page", page.port))
        wait_for(lambda: curl(gateway.url("/chat")).status == 503, "new requests find no member")


def test_tls_sessions_survive_a_new_certificate(gateway, served, certificate):
    old, new = certificate("localhost"), certificate("localhost", "renewed.example")
    with connect(gateway.url("/chat", "wss"), ssl=trusting(cadata=old.crt), proxy=None) as socket:
        gateway.write("tls.json", secret("tls", new))

        def renewed():
            try:
                with connect(gateway.url("/chat", "wss"), ssl=trusting(cadata=new.crt), proxy=None):
                    return True
            except OSError:
                return False

        wait_for(renewed, "new sessions get the new certificate")
        socket.send("over the old one")
        assert socket.recv(5) == "over the old one"


def test_a_keep_alive_connection_gets_the_new_rule(gateway, served):
    with Client(gateway.http) as client:
        assert client.ask(get("/page")).status == 200
        gateway.apply("page.json", ingress("page", {"/moved": "page"}))
        assert client.ask(get("/page")).status == 404
        assert client.ask(get("/moved")).status == 200


def test_a_request_under_way_ends_under_the_rule_that_it_began_with(gateway, served, page):
    with Client(gateway.http) as client:
        gateway.apply("page.json", ingress("page", {"/": "page"}))
        client.send(get("/slow"))
        assert page.reached.wait(5)
        gateway.apply("page.json", ingress("page", {"/elsewhere": "page"}))
        page.release.set()
        answer = client.answer()
        assert (answer.status, answer.body) == (200, b"finished")


def test_a_file_that_breaks_keeps_its_last_good_version(gateway, served):
    with lasting_sessions(gateway):
        gateway.write("page.json", "apiVersion: v1\nkind: [unclosed\n")
        wait_for(lambda: "page.json" in gateway.log(), "the broken file is named")
        assert curl(gateway.url("/page")).status == 200
        gateway.apply("page.json", ingress("page", {"/mended": "page"}))
        assert curl(gateway.url("/mended")).status == 200


@pytest.mark.parametrize("way", ["rename", "in place", "new file"])
def test_every_way_of_saving_a_file_is_seen(gateway, served, way):
    text = (gateway.manifests / "page.json").read_text().replace('"/page"', '"/saved"')
    match way:
        case "rename":
            gateway.write("page.json", text)
        case "in place":
            (gateway.manifests / "page.json").write_text(text)
        case "new file":
            gateway.write("another.json", ingress("another", {"/saved": "page"}))
    wait_for(lambda: curl(gateway.url("/saved")).status == 200, "the edit is served")


def test_an_edit_that_changes_nothing_swaps_nothing(gateway, served):
    def swaps():
        return json.loads(gateway.admin_text("/debug/config"))["swaps"]

    before, generation = swaps(), gateway.generation()
    gateway.write("page.json", (gateway.manifests / "page.json").read_text() + "\n")
    wait_for(lambda: gateway.generation() > generation, "the edit is taken in")
    assert swaps() == before
    gateway.apply("other.json", ingress("other", {"/other": "page"}))
    assert swaps() == before + 1


def test_the_admin_port_counts_sessions_and_swaps(gateway, served):
    with lasting_sessions(gateway, 3):
        metrics = gateway.admin_text("/metrics")
        open_now = [line for line in metrics.splitlines() if "session" in line and "open" in line and line[0] != "#"]
        assert any(line.split()[-1] in ("3", "3.0") for line in open_now), metrics
