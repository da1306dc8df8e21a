"""A client that takes nothing, or little, of what its backend sends: the backend waits, and nobody else notices."""

import threading
import time

import pytest

from crowd_backend import FLOOD
from gateway import wait_for
from http_backend import MIB
from manifests import ingress, service
from wire import ACCEPTED, HANDSHAKE, Client

SLOW = 10
HEAD = 10  # of the one frame that is sent


@pytest.fixture
def backend(gateway, crowd_backend):
    backend = crowd_backend()
    pings = {"steadygate.io/websocket-ping-interval": "2", "steadygate.io/websocket-ping-timeout": "2"}
    gateway.write("site.json", *service("echo", backend.port), *ingress("echo", {"/": "echo"}, host="localhost"))
    gateway.write("pings.json", ingress("pings", {"/": "echo"}, host="pings.example", annotations=pings))
    # One worker: who shares it with the slow is not left to chance.
    gateway.start("--workers", "1", "--log-format", "json")
    return backend


def flood(gateway, host="localhost"):
    """Asks for the flood, and takes nothing of it yet."""
    client = Client(gateway.http)
    handshake = HANDSHAKE.replace(b"/chat", b"/flood").replace(b"server.example.com", host.encode())
    assert client.ask(handshake).status == 101
    return client


def settled(backend):
    """What the backend could send until it was held back."""
    last = -1
    while last != (last := backend.seen()["flooded"]):
        time.sleep(0.7)
    return last


def latency(crowd, client):
    began = time.monotonic()
    assert crowd.echo([client]) == 1
    return time.monotonic() - began


def test_a_backend_is_held_back_and_others_are_not(gateway, backend, crowd):
    others = crowd.open(gateway.http, 20)
    crowd.echo(others)
    memory = gateway.resident_bytes()
    slow = [flood(gateway) for _ in range(SLOW)]
    meanwhile = [latency(crowd, other) for other in others]
    sent = settled(backend)
    took = sorted(meanwhile + [latency(crowd, other) for other in others])
    grown = gateway.resident_bytes() - memory
    print(f"{sent / SLOW / MIB:.1f} MiB each, grown by {grown / 1024:.0f} KiB, echo in {took[-1] * 1000:.0f} ms at most")
    # What is under way is in the kernel's buffers: two connections, two ends each.
    assert sent / SLOW < 10 * MIB
    assert grown < 2 * MIB
    # A few may have had to wait for the machine.
    assert took[len(took) * 3 // 4] < 0.25

    # Who reads after all gets everything, and memory is what it was.
    first, received = slow[0], len(slow[0].buffer)
    while received < FLOOD + HEAD:
        received += len(first.sock.recv(MIB))
    assert received == FLOOD + HEAD
    assert gateway.resident_bytes() - memory < 2 * MIB
    for client in slow:
        client.close()
    wait_for(lambda: len(gateway.entries("session closed")) == SLOW, "their sessions are over")
    assert crowd.echo(others) == 20


def test_who_reads_slowly_but_steadily_is_there(gateway, backend):
    with flood(gateway, "pings.example") as client:
        received, began = 0, time.monotonic()
        while (elapsed := time.monotonic() - began) < 12:
            # Less than the kernel would like to see gone before it takes more.
            if received < elapsed * 64 * 1024:
                received += len(client.sock.recv(16 * 1024))
            else:
                time.sleep(0.01)
        assert gateway.entries("session closed") == []
        assert received > 500 * 1024


def test_who_reads_nothing_is_not(gateway, backend):
    began = time.monotonic()
    with flood(gateway, "pings.example"):
        (entry,) = wait_for(lambda: gateway.entries("session closed"), "it is closed", timeout=20)
        assert (entry["cause"], entry["code"]) == ("client_gone", 1001)
        assert 3 < time.monotonic() - began < 12


def test_a_client_that_sends_much_to_a_backend_that_takes_nothing_is_held_back(gateway, scripted):
    """The opposite direction."""
    release = threading.Event()
    deaf = scripted(lambda exchange: (exchange.send(ACCEPTED), release.wait(30)))
    gateway.serve(*service("deaf", deaf.port), *ingress("deaf", {"/": "deaf"}), arguments=["--workers", "1"])
    memory = gateway.resident_bytes()
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 101
        client.sock.settimeout(1)
        client.send(bytes([0x82, 0xFF]) + FLOOD.to_bytes(8) + bytes(4))
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += client.sock.send(bytes(65536))
        assert sent < 16 * MIB and gateway.resident_bytes() - memory < 2 * MIB
    release.set()
