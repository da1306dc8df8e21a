"""What the tests' backend promises."""

import urllib.error
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from kubernetes import wait_until
from manifests import backend_deployment


@pytest.fixture
def address(namespace, request):
    """Where the one pod of a backend with those arguments serves."""
    namespace.apply(backend_deployment("backend", 1, getattr(request, "param", [])))
    namespace.wait_rolled_out("backend")
    return f"{namespace.json('get', 'pods')['items'][0]['status']['podIP']}:8080"


def sessions(address: str) -> int:
    with urllib.request.urlopen(f"http://{address}/sessions", timeout=2) as answer:
        return int(answer.read())


def test_it_echoes_and_counts_sessions(address):
    with connect(f"ws://{address}/any/path", subprotocols=["chat"], proxy=None) as session:
        assert session.subprotocol == "chat"
        session.send("hello")
        assert session.recv(timeout=5) == "hello"
        session.send(b"\x00" * 100_000)
        assert session.recv(timeout=5) == b"\x00" * 100_000
        session.send("whoami")
        assert session.recv(timeout=5).startswith("backend-")
        assert sessions(address) == 1
    wait_until(lambda: sessions(address) == 0, timeout=5)


@pytest.mark.parametrize("address", [["-on-term=close"]], indirect=True)
def test_it_closes_sessions_on_sigterm(address, namespace):
    with connect(f"ws://{address}/", proxy=None) as session:
        namespace("delete", "pods", "--all", "--wait=false")
        with pytest.raises(ConnectionClosed):
            session.recv(timeout=10)
        assert session.close_code == 1001


@pytest.mark.parametrize("address", [["-on-term=wait:3"]], indirect=True)
def test_it_goes_on_serving_on_sigterm(address, namespace):
    with connect(f"ws://{address}/", proxy=None) as session:
        namespace("delete", "pods", "--all", "--wait=false")
        wait_until(lambda: status(f"http://{address}/readyz") == 503)
        session.send("hello")
        assert session.recv(timeout=5) == "hello"


def test_health_is_switched_for_each_pod(address):
    control = urllib.request.Request(f"http://{address}/control/healthz?status=500", method="POST")
    urllib.request.urlopen(control, timeout=2).close()
    assert status(f"http://{address}/healthz") == 500
    assert status(f"http://{address}/readyz") == 200


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
