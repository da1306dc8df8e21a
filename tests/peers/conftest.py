"""What every test has at hand: a gateway, backends, certificates, and the gateway's log when a test fails."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from crowd import Crowd
from crowd_backend import Backend
from gateway import Gateway
from http_backend import HttpBackend
from issuer import Issuer
from libraries import Server
from websocket_peers import Browser, PythonServer
from wire import ScriptedBackend


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate and its key, as PEM; `path` holds the certificate, for clients to trust."""

    crt: str
    key: str
    path: Path


@pytest.fixture
def gateway(tmp_path):
    gateway = Gateway(tmp_path / "manifests")
    yield gateway
    gateway.kill()
    print(gateway.log())  # shown where the test failed


def closing(make):
    """A fixture that makes things by `make`, as many as a test wants, and closes them after it."""
    made = []

    def remember(*arguments, **named):
        made.append(make(*arguments, **named))
        return made[-1]

    yield remember
    for thing in made:
        thing.close()


@pytest.fixture
def scripted():
    """`scripted(script)`: a backend that is scripted byte by byte."""
    yield from closing(ScriptedBackend)


@pytest.fixture
def http_backend():
    """`http_backend(name)`: an HTTP server that tells what reached it."""
    yield from closing(HttpBackend)


@pytest.fixture
def crowd():
    """Clients by the thousand."""
    crowd = Crowd()
    yield crowd
    crowd.close()


@pytest.fixture
def crowd_backend():
    """`crowd_backend(address, port)`: a backend for them."""
    yield from closing(Backend)


@pytest.fixture
def websocket_server():
    """`websocket_server("python")`: an echo server in this process; of any other library, one of its own."""
    yield from closing(lambda library: PythonServer() if library == "python" else Server(library))


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path / "profile")
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """`certificate(name, …)`: a certificate for these DNS names."""
    directory = tmp_path_factory.mktemp("certificates")
    made = {}

    def make(*names):
        if names not in made:
            crt, key = directory / f"{len(made)}.crt", directory / f"{len(made)}.key"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-days", "2", "-subj", f"/CN={names[0]}", "-keyout", key, "-out", crt,
                 "-addext", "basicConstraints=critical,CA:FALSE",
                 "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)],
                check=True, capture_output=True,
            )  # fmt: skip
            made[names] = Certificate(crt.read_text(), key.read_text(), crt)
        return made[names]

    return make


@pytest.fixture
def issuer():
    """An issuer of tokens, whose keys can be fetched."""
    issuer = Issuer().start()
    yield issuer
    issuer.close()
