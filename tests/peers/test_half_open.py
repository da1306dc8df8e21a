"""Peers that vanish: nothing of theirs arrives any more, not even the end of their stream.

These tests run in a network of their own, that of a namespace which ends with them: root, or a user who may make user
namespaces, can have one, and nothing of the machine's own network is touched. There, a rule takes all packets of an address.
"""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway import wait_for
from manifests import ingress, service
from metrics import Metrics
from wire import HANDSHAKE

APART = "STEADYGATE_NETWORK_APART"
INTERVAL, TIMEOUT = 2, 2
CLIENT, BACKEND = "127.0.0.2", "127.0.0.3"
PINGS = {
    "steadygate.io/websocket-ping-interval": str(INTERVAL),
    "steadygate.io/websocket-ping-timeout": str(TIMEOUT),
}


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


if APART not in os.environ:

    def test_peers_that_vanish():
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        command = ["unshare", *user, "--net", "--", sys.executable, "-m", "pytest"]
        ini = Path(__file__).with_name("pytest.ini")
        ended = subprocess.run(
            [*command, "-c", str(ini), "--tb=short", __file__],
            env=os.environ | {APART: "1"}, capture_output=True, text=True, timeout=55,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr

else:

    @pytest.fixture(scope="module", autouse=True)
    def network():
        ip("link", "set", "lo", "up")
        # Rules that come before that of the machine's own addresses.
        ip("rule", "add", "from", "all", "lookup", "local", "priority", "100")
        ip("rule", "delete", "priority", "0")

    @contextmanager
    def vanished(address):
        """Drops all packets from this address."""
        ip("rule", "add", "from", address, "priority", "10", "blackhole")
        yield time.monotonic()
        ip("rule", "delete", "priority", "10")

    def served(gateway, backend):
        objects = [*service("echo", backend.port), *service("unasked", backend.port)]
        for piece in objects:
            for endpoint in piece.get("endpoints", []):
                endpoint["addresses"] = [backend.address]
        objects += ingress("echo", {"/": "echo"}, annotations=PINGS) + ingress("unasked", {"/unasked": "unasked"})
        gateway.serve(*objects, arguments=["--log-format", "json"])

    def ended(gateway, cause, count):
        """Waits until log and metrics say that all have ended for that cause."""

        def entries():
            entries = gateway.entries("session closed")
            return len(entries) == count and entries

        entries = wait_for(entries, f"{count} sessions are over", timeout=20)
        assert {(entry["cause"], entry["code"], entry["initiator"]) for entry in entries} == {(cause, 1001, "gateway")}
        labels = {"object": "Ingress default/echo", "cause": cause}
        told = lambda: Metrics(gateway.admin_text("/metrics")).of("websocket_sessions_ended_total", **labels)
        wait_for(lambda: told() == count, "they are counted")

    def test_clients(gateway, crowd, crowd_backend):
        backend = crowd_backend()
        served(gateway, backend)
        gone, stays = crowd.open(gateway.http, 100, local=CLIENT), crowd.open(gateway.http)
        unasked = crowd.open(gateway.http, path="/unasked", local=CLIENT)
        there = time.monotonic()
        assert crowd.echo(gone + stays + unasked) == 102
        with vanished(CLIENT) as since:
            assert crowd.echo(gone[:1], timeout=0.3) == 0
            wait_for(lambda: backend.seen()["close"] == {"1001 no answer to ping": 100}, "the backend is told")
            told = time.monotonic()
            ended(gateway, "client_gone", 100)
            assert told - there > INTERVAL + TIMEOUT - 0.5 and told - since < INTERVAL + TIMEOUT + 3
            assert {client.end for client in gone + unasked} == {None}, "and they know nothing of it"
            assert crowd.echo(stays) == 1
            told = Metrics(gateway.admin_text("/metrics"))
            open_now = [told.of("websocket_sessions_open", object=f"Ingress default/{name}") for name in ("echo", "unasked")]
            assert open_now == [1, 1], "one that is there, and one that nobody asks"
        assert crowd.echo(unasked) == 1

    def test_a_client_in_the_middle_of_what_it_is_sent(gateway, crowd_backend):
        backend = crowd_backend()
        served(gateway, backend)
        with socket.create_connection(("127.0.0.1", gateway.http), source_address=(CLIENT, 0), timeout=5) as client:
            client.sendall(HANDSHAKE.replace(b"/chat", b"/flood"))
            for _ in range(1000):
                client.recv(1024)
            with vanished(CLIENT) as since:
                wait_for(lambda: backend.seen()["close"] == {"1001 no answer to ping": 1}, "the backend is told", timeout=20)
                # The Ping has to wait for room, and is not given it.
                assert time.monotonic() - since < INTERVAL + 2 * TIMEOUT + 3
                ended(gateway, "client_gone", 1)

    def test_a_backend(gateway, crowd, crowd_backend):
        served(gateway, crowd_backend(BACKEND))
        clients, unasked = crowd.open(gateway.http, 100), crowd.open(gateway.http, path="/unasked")
        assert crowd.echo(clients + unasked) == 101
        with vanished(BACKEND) as since:
            wait_for(lambda: all(client.end for client in clients), "they are told")
            assert max(client.closed_at for client in clients) - since < INTERVAL + TIMEOUT + 3
            told = {(client.close, client.reason, client.end) for client in clients}
            assert told == {(1001, "backend does not answer", "end")}
            ended(gateway, "backend_gone", 100)
            assert unasked[0].end is None
