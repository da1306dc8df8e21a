"""The cases of the Autobahn test suite: a backend behind the gateway answers each as it does without."""

import asyncio
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import autobahn
from autobahn.engine import complaints, play_all
from autobahn.http2 import Shared, SharedSecure
from autobahn.transports import Plain, Secure, Target
from gateway import Gateway
from libraries import Server
from manifests import ingress, secret, service

#: How a client may reach the gateway: the opening, and whether in clear text.
ROUTES = {"ws": (Plain, True), "wss": (Secure, False), "h2c": (Shared, True), "h2": (SharedSecure, False)}


class Strict:
    """The strict Python backend."""

    def __init__(self):
        command = [sys.executable, Path(__file__).parent / "autobahn/backend.py"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module", params=[Strict, lambda: Server("node")], ids=["python", "node"])
def backend(request):
    backend = request.param()
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, backend, certificate):
    """One gateway for all cases."""
    gateway = Gateway(tmp_path_factory.mktemp("autobahn") / "manifests")
    objects = service("echo", backend.port), secret("tls", certificate("localhost"))
    try:
        yield gateway.serve(*objects, ingress("echo", {"/": "echo"}, secret="tls"), arguments=["--h2c"])
    finally:
        gateway.kill()
        print(gateway.log())


@pytest.fixture(scope="module")
def direct(backend):
    """`direct(section)`: the recordings without a gateway."""
    return cache(lambda section: recordings(section, Plain, Target(backend.port)))


def recordings(section, kind, target):
    async def play():
        opening = kind(target)
        try:
            return await play_all(autobahn.section(section), opening.open)
        finally:
            await opening.close()

    return asyncio.run(play())


@pytest.mark.parametrize("section", autobahn.SECTIONS)
def test_the_backend_does_what_the_rfc_asks(direct, section):
    told = {case.name: complaints(case, direct(section)[case.name]) for case in autobahn.section(section)}
    assert {name: wrong for name, wrong in told.items() if wrong} == {}


def test_text_is_judged_with_each_frame_or_each_message(direct, backend):
    """So the cases of 6.4 show that what one backend says at once comes at once, and what another waits for is not awaited."""
    for name in ("6.4.1", "6.4.2"):
        assert direct("6")[name].in_time == [False, isinstance(backend, Strict)]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("section", autobahn.SECTIONS)
def test_the_gateway_changes_nothing(gateway, direct, certificate, route, section):
    kind, clear = ROUTES[route]
    target = Target(gateway.http if clear else gateway.https, ca=str(certificate("localhost").path))
    through = recordings(section, kind, target)
    differ = {name: (want, through[name]) for name, want in direct(section).items() if through[name] != want}
    assert differ == {}
