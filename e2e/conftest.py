"""What every test has at hand: kubectl, the cluster's components, and a namespace of its own."""

import re
import secrets

import pytest

from kubernetes import Cluster, Kubectl, Namespace


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


@pytest.fixture
def namespace(request, kubectl, failed):
    """A fresh namespace. What was in it is shown if the test fails; nobody waits for its end."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).removeprefix("test-").strip("-")
    namespace = Namespace(f"{words[:40].strip('-')}-{secrets.token_hex(3)}", kubectl)
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
