"""The chart in a real cluster: two releases side by side, limited namespaces, `helm test`, upgrade, uninstall."""

import time

import pytest

from client import ask
from controller import Release, helm
from kubernetes import Namespace, wait_until
from manifests import deploy, ingress, path, rule
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
        kubectl("delete", "namespace", one.namespace.name, "--wait=false")


SECOND = {
    "replicas": 1,
    "ingressClass.name": "second",
    "ingressClass.controller": "steadygate.io/second",
}


def test_two_controllers_with_classes_of_their_own(kubectl, controller, release, namespace):
    second = release("second", **SECOND)
    deploy(namespace, "app")
    host = f"{namespace.name}.two.example"
    mine, its = f"mine.{host}", f"its.{host}"
    namespace.apply(
        ingress("mine", rule(mine, path("/", "app"))),
        ingress("its", rule(its, path("/", "app")), cls="second"),
    )
    wait_until(lambda: ask(controller.address, "/", mine).status == 200)
    wait_until(lambda: ask(second.address, "/", its).status == 200)
    assert ask(controller.address, "/", its).status == 404
    assert ask(second.address, "/", mine).status == 404

    def address(name):
        status = namespace.json("get", "ingress", name)["status"]
        return [entry["ip"] for entry in status.get("loadBalancer", {}).get("ingress", [])]

    wait_until(lambda: (address("mine"), address("its")) == ([controller.address], [second.address]))

    # It changes hands: status follows, and neither undoes what the other wrote.
    namespace("patch", "ingress", "its", "-p", '{"spec":{"ingressClassName":"steadygate"}}')
    wait_until(lambda: address("its") == [controller.address])
    time.sleep(3)
    assert address("its") == [controller.address]


def test_limited_namespaces_need_no_rights_beyond_them(kubectl, release, namespace):
    deploy(namespace, "app")
    host = f"{namespace.name}.limited.example"
    limited = release("limited", **SECOND, watchNamespaces=[namespace.name])
    namespace.apply(ingress("app", rule(host, path("/", "app")), cls="second"))
    wait_until(lambda: ask(limited.address, "/", host).status == 200)

    beyond = Namespace(f"{namespace.name}-beyond", kubectl)
    kubectl("create", "namespace", beyond.name)
    deploy(beyond, "app")
    beyond.apply(ingress("app", rule(f"beyond.{host}", path("/", "app")), cls="second"))
    account = f"--as=system:serviceaccount:{limited.namespace.name}:{limited.name}"
    for resource in ("secrets", "ingresses.networking.k8s.io", "pods"):
        assert kubectl.run("auth", "can-i", "list", resource, account).stdout.strip() == "no"
        assert kubectl.run("auth", "can-i", "list", resource, account, "-n", namespace.name).stdout.strip() == "yes"
    time.sleep(2)
    assert ask(limited.address, "/", f"beyond.{host}").status == 404
    kubectl("delete", "namespace", beyond.name, "--wait=false")


def test_helm_test_passes(controller):
    done = helm("test", controller.name, "--namespace", controller.namespace.name, "--timeout", "90s")
    assert "Phase:" in done.stdout and "Succeeded" in done.stdout


def test_an_upgrade_that_is_not_about_pods_touches_none(kubectl, controller, namespace):
    """Another chart version and a budget for disruptions: no pod restarts, no session notices."""
    deploy(namespace, "app")
    host = f"{namespace.name}.upgrade.example"
    namespace.apply(ingress("app", rule(host, path("/", "app"))))
    wait_until(lambda: {ask(controller.address, "/", host).status for _ in range(8)} == {200})
    pods = set(controller.pods())
    with Requests(controller.address, host) as requests, Sessions(f"ws://{host}/", controller.address, 50) as sessions:
        changed = Release(kubectl, controller.name, **controller.values, **{"service.annotations.example\\.com/note": "x"})
        changed.install()
        time.sleep(3)
        assert set(controller.pods()) == pods
        assert not sessions.ended, sessions.ends()
    assert requests.failures == []


def test_uninstall_leaves_nothing_but_the_definitions(kubectl, release):
    one = release("leaving", **SECOND)
    selector = f"app.kubernetes.io/instance={one.name}"
    kinds = kubectl("api-resources", "--verbs=list,delete", "-o", "name").split()
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
    leases = one.namespace.json("get", "leases")["items"]
    assert [lease["metadata"]["name"] for lease in leases] == []
    assert kubectl("get", "crd", "applicationgateways.steadygate.io")
