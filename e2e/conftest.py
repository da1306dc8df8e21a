"""What every test has at hand: kubectl, the cluster's components, a namespace of its own, and the product."""

import re
import secrets
from pathlib import Path

import pytest

from controller import Release
from kubernetes import Cluster, Kubectl, Namespace

DEFINITIONS = Path(__file__).parent.parent / "crds"


@pytest.fixture(scope="session")
def kubectl():
    """kubectl as cluster administrator."""
    return Kubectl()


@pytest.fixture
def cluster():
    """The components of the cluster, to stop and start; after the test all of them run again."""
    cluster = Cluster()
    yield cluster
    cluster.start_all()


@pytest.fixture(scope="session")
def controller(kubectl):
    """The product, installed as users do: two replicas behind a Service, serving the class `steadygate`."""
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(DEFINITIONS))
    return Release(kubectl, replicas=2).install()


@pytest.fixture
def namespace(request, kubectl, failed):
    """A fresh namespace. What was in it is shown if the test fails; nobody waits for its end."""
    yield from fresh_namespace(request, kubectl, failed)


@pytest.fixture(scope="module")
def module_namespace(request, kubectl):
    """The same for all tests of a module together."""
    yield from fresh_namespace(request, kubectl, lambda: False)


def fresh_namespace(request, kubectl, failed):
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).removeprefix("test-").strip("-")
    namespace = Namespace(f"{words[:24].strip('-')}-{secrets.token_hex(3)}", kubectl)
    kubectl("create", "namespace", namespace.name)
    yield namespace
    if failed():
        print(namespace("get", "all", "-o", "wide"))
        print(namespace("get", "events", "--sort-by=.metadata.creationTimestamp"))
    kubectl("delete", "namespace", namespace.name, "--wait=false")


@pytest.fixture
def failed(request):
    """`failed()`: whether this test has failed by now."""
    return lambda: getattr(request.node, "call_report", None) is None or request.node.call_report.failed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.call_report = report
    return report
