"""The chart in a real cluster: two releases side by side, limited namespaces, `helm test`, upgrade, uninstall."""

import time

import pytest

from client import ask
from controller import Release, helm
from objects import ingress, path, rule
from traffic import Requests, Sessions


@pytest.fixture
def release(kubectl):
    """`release(name, **values)`: a release of its own, removed after the test."""
    made = []

    def install(name, **values):
        made.append(Release(kubectl, name, **values))
        return made[-1].install()

    yield install
    for one in made:
        one.uninstall()
        kubectl("delete", "namespace", one.namespace, "--wait=false", check=False)


SECOND = {
    "replicas": 1,
    "ingressClass.name": "second",
    "ingressClass.controller": "steadygate.io/second",
}


def test_two_controllers_with_classes_of_their_own(kubectl, controller, release, namespace, backends, wait_until):
    second = release("second", **SECOND)
    backends(namespace, "app")
    host = f"{namespace}.two.example"
    mine, its = f"mine.{host}", f"its.{host}"
    kubectl.apply(
        ingress("mine", rule(mine, path("/", "app"))),
        ingress("its", rule(its, path("/", "app")), cls="second"),
        namespace=namespace,
    )
    wait_until(lambda: ask(controller.address, "/", mine).status == 200)
    wait_until(lambda: ask(second.address, "/", its).status == 200)
    assert ask(controller.address, "/", its).status == 404
    assert ask(second.address, "/", mine).status == 404

    def address(name):
        status = kubectl.json("get", "ingress", name, "-n", namespace)["status"]
        return [entry["ip"] for entry in status.get("loadBalancer", {}).get("ingress", [])]

    wait_until(lambda: (address("mine"), address("its")) == ([controller.address], [second.address]))

    # It changes hands: status follows, and neither undoes what the other wrote.
    kubectl("patch", "ingress", "its", "-n", namespace, "-p", '{"spec":{"ingressClassName":"steadygate"}}')
    wait_until(lambda: address("its") == [controller.address])
    time.sleep(3)
    assert address("its") == [controller.address]


def test_limited_namespaces_need_no_rights_beyond_them(kubectl, release, namespace, backends, wait_until):
    backends(namespace, "app")
    host = f"{namespace}.limited.example"
    limited = release("second", **SECOND, watchNamespaces=[namespace])
    kubectl.apply(ingress("app", rule(host, path("/", "app")), cls="second"), namespace=namespace)
    wait_until(lambda: ask(limited.address, "/", host).status == 200)

    kubectl("create", "namespace", f"{namespace}-beyond")
    backends(f"{namespace}-beyond", "app")
    kubectl.apply(ingress("app", rule(f"beyond.{host}", path("/", "app")), cls="second"), namespace=f"{namespace}-beyond")
    account = f"--as=system:serviceaccount:{limited.namespace}:{limited.name}"
    for resource in ("secrets", "ingresses.networking.k8s.io", "pods"):
        assert "no" in kubectl("auth", "can-i", "list", resource, account, check=False).stdout
        assert "yes" in kubectl("auth", "can-i", "list", resource, "-n", namespace, account, check=False).stdout
    time.sleep(2)
    assert ask(limited.address, "/", f"beyond.{host}").status == 404
    kubectl("delete", "namespace", f"{namespace}-beyond", "--wait=false")


def test_helm_test_passes(controller):
    done = helm("test", controller.name, "--namespace", controller.namespace, "--timeout", "90s")
    assert "Phase:" in done.stdout and "Succeeded" in done.stdout


def test_an_upgrade_that_is_not_about_pods_touches_none(kubectl, controller, namespace, backends, wait_until):
    """Another chart version and a budget for disruptions: no pod restarts, no session notices."""
    backends(namespace, "app")
    host = f"{namespace}.upgrade.example"
    kubectl.apply(ingress("app", rule(host, path("/", "app"))), namespace=namespace)
    wait_until(lambda: ask(controller.address, "/", host).status == 200)
    pods = set(controller.pods())
    with Requests(controller.address, host) as requests, Sessions(f"ws://{host}/", controller.address, 50) as sessions:
        changed = Release(kubectl, controller.name, **controller.values, **{"service.annotations.example\\.com/note": "x"})
        changed.install()
        time.sleep(3)
        assert set(controller.pods()) == pods
        assert not sessions.ended, sessions.ends()
    assert requests.failures == []


def test_uninstall_leaves_nothing_but_the_definitions(kubectl, release):
    one = release("second", **SECOND)
    selector = f"app.kubernetes.io/instance={one.name}"
    kinds = kubectl("api-resources", "--verbs=list,delete", "-o", "name").stdout.split()
    kinds = ",".join(kind for kind in kinds if not kind.startswith("events"))

    def left():
        found = kubectl.json("get", kinds, "-A", "-l", selector)["items"]
        return [(item["kind"], item["metadata"]["name"]) for item in found]

    assert left()
    one.uninstall()
    deadline = time.monotonic() + 60
    while left() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left() == []
    # What the controller itself made: its lease.
    leases = kubectl.json("get", "leases", "-n", one.namespace)["items"]
    assert [lease["metadata"]["name"] for lease in leases] == []
    assert kubectl("get", "crd", "applicationgateways.steadygate.io").returncode == 0
