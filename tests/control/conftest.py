"""What every test has at hand: a control plane, a proxy before it that can go wrong, and a controller behind the proxy."""

import itertools
import subprocess
from dataclasses import dataclass

import pytest

import objects
from control_plane import RULES, ControlPlane, role
from fault_proxy import Proxy
from steadygate import Backend, Steadygate

names = itertools.count(1)


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate and its key, as PEM."""

    crt: str
    key: str


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory):
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    try:
        plane.start()
        plane.admin.define()
        plane.admin.apply(
            objects.ingress_class("steadygate", "steadygate.io/ingress-controller"),
            objects.ingress_class("foreign", "example.com/another"),
            role("steadygate", *RULES),
        )
        yield plane
    finally:
        plane.stop()
        for name, text in plane.logs():
            print(f"--- {name}\n{text}")


@pytest.fixture
def api(control_plane):
    """The API server, as an administrator sees it."""
    return control_plane.admin


@pytest.fixture
def proxy(control_plane):
    proxy = Proxy(control_plane.port)
    yield proxy
    proxy.close()


@pytest.fixture
def make(tmp_path, proxy):
    """`make(user=…)`: a controller, not started yet."""
    made = []

    def one(**named):
        directory = tmp_path / f"controller-{len(made)}"
        directory.mkdir()
        made.append(Steadygate(directory, proxy.url, **named))
        return made[-1]

    yield one
    for steadygate in made:
        steadygate.kill()
        print(steadygate.log())  # shown where the test failed


@pytest.fixture
def steadygate(make):
    """A controller, not started yet."""
    return make()


@dataclass
class Site:
    """A namespace with a backend behind the Service `app`, and an Ingress to it for `host`."""

    api: object
    namespace: str
    host: str

    def add(self, name, **named):
        """One more Ingress; gives its host."""
        host = f"{name}.{self.host}"
        self.api.apply(objects.ingress(self.namespace, name, host, **named))
        return host


@pytest.fixture
def site(api):
    backend = Backend()
    site = make_site(api, backend)
    yield site
    for resource in ["ingresses", "secrets"]:
        group = "/apis/networking.k8s.io/v1" if resource == "ingresses" else "/api/v1"
        api.request("DELETE", f"{group}/namespaces/{site.namespace}/{resource}")
    backend.close()


@pytest.fixture
def another_site(api):
    backend = Backend()
    yield make_site(api, backend)
    backend.close()


def make_site(api, backend):
    name = f"site-{next(names)}"
    host = f"{name}.test"
    api.apply(
        objects.namespace(name),
        objects.service(name, "app", backend.server_address[:2]),
        objects.ingress(name, "first", host),
    )
    return Site(api, name, host)


@pytest.fixture
def serving(steadygate, site):
    """A controller that serves the site."""
    steadygate.start()
    steadygate.serves_within(5, site.host)
    return steadygate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """`certificate(host)`: a new certificate for a host."""
    directory = tmp_path_factory.mktemp("certificates")

    def make(host):
        number = next(names)
        crt, key = directory / f"{number}.crt", directory / f"{number}.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", f"/CN={number}", "-keyout", key, "-out", crt,
             "-addext", "basicConstraints=critical,CA:FALSE", "-addext", f"subjectAltName=DNS:{host}"],
            check=True, capture_output=True,
        )  # fmt: skip
        return Certificate(crt.read_text(), key.read_text())

    return make
