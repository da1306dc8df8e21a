"""The API server, etcd and the leader go away and come back; clients do not notice, and status is right afterwards."""

import time

import pytest

from client import ask
from kubernetes import wait_until
from manifests import deploy, ingress, path, rule
from traffic import Requests, Sessions

# How long the API server is away.
AWAY = 60


@pytest.fixture
def site(kubectl, controller, namespace):
    deploy(namespace, "app", replicas=2)
    host = f"{namespace.name}.faults.example"
    namespace.apply(ingress("app", rule(host, path("/", "app"))))
    # Each replica probes for itself: several answers in a row.
    wait_until(lambda: {ask(controller.address, "/", host).status for _ in range(8)} == {200})
    return Site(kubectl, controller, namespace, host)


class Site:
    def __init__(self, kubectl, controller, namespace, host):
        self.kubectl, self.controller, self.namespace, self.host = kubectl, controller, namespace, host

    def traffic(self):
        return Requests(self.controller.address, self.host), Sessions(
            f"ws://{self.host}/", self.controller.address, 50
        )

    def addresses(self, name):
        status = self.namespace.json("get", "ingress", name).get("status", {})
        return [entry.get("ip") for entry in status.get("loadBalancer", {}).get("ingress", [])]

    def still_follows(self, name):
        """A new Ingress is served, and told its address. The way to the API server is kube-proxy's, which may not look whether that
        is back for a minute."""
        host = f"{name}.{self.host}"
        self.namespace.apply(ingress(name, rule(host, path("/", "app"))))
        wait_until(lambda: ask(self.controller.address, "/", host).status == 200, timeout=120)
        wait_until(lambda: self.addresses(name) == [self.controller.address], timeout=60)

    def generation_of_pods(self):
        return {name: restarts(pod) for name, pod in self.controller.pods().items()}


def restarts(pod):
    return sum(status["restartCount"] for status in pod["status"]["containerStatuses"])


@pytest.fixture
def control_plane(cluster, kubectl):
    """The cluster's components; whoever waits long for the API server's return is restarted, so that the next test need not."""
    yield cluster
    wait_until(lambda: api_answers(kubectl), timeout=60)
    cluster.restart("kube-controller-manager", "kube-scheduler", "kubelet")
    kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")


def api_answers(kubectl):
    return kubectl.run("get", "--raw", "/readyz", "--request-timeout=2s").returncode == 0


@pytest.mark.timeout(300)
def test_the_api_server_is_away_for_a_minute(site, control_plane, kubectl):
    pods = site.generation_of_pods()
    requests, sessions = site.traffic()
    with requests, sessions:
        control_plane.stop("kube-apiserver")
        assert not api_answers(kubectl)
        time.sleep(AWAY)
        control_plane.start("kube-apiserver")
        wait_until(lambda: api_answers(kubectl), timeout=60)
        site.still_follows("after-api")
        assert not sessions.ended, sessions.ends()
    assert requests.failures == []
    assert site.generation_of_pods() == pods, "no controller was restarted"


def test_etcd_is_restarted(site, control_plane, kubectl):
    pods = site.generation_of_pods()
    requests, sessions = site.traffic()
    with requests, sessions:
        control_plane.restart("etcd")
        wait_until(lambda: api_answers(kubectl), timeout=60)
        site.still_follows("after-etcd")
        assert not sessions.ended, sessions.ends()
    assert requests.failures == []
    assert site.generation_of_pods() == pods


def test_the_leader_is_killed(site, controller, kubectl):
    wait_until(lambda: controller.leader() is not None)
    leader = controller.leader()
    requests, _ = site.traffic()
    with requests:
        controller.namespace("delete", "pod", leader, "--grace-period=0", "--force")
        wait_until(lambda: controller.leader() not in (None, leader), timeout=60)
        site.still_follows("after-leader")
        controller.wait()
    # A pod killed at once takes what it was just answering with it, and new connections until the Service knows;
    # the other replica's clients are not touched, and nothing fails once it has gone from the Service.
    assert len(requests.failures) < requests.answered / 10, requests.failures[:5]


def test_one_replica_writes_status(site, controller, kubectl, cluster):
    """By the audit log: who patched status while an Ingress was made, named by pod."""
    for number in range(5):
        name = f"writer-{number}"
        site.namespace.apply(ingress(name, rule(f"{name}.{site.host}", path("/", "app"))))
    wait_until(lambda: all(site.addresses(f"writer-{number}") for number in range(5)))
    writes = [
        entry
        for entry in cluster.audit()
        if entry["verb"] == "patch" and entry.get("objectRef", {}).get("subresource") == "status"
        and entry["objectRef"].get("namespace") == site.namespace.name
        and entry["objectRef"]["resource"] == "ingresses"
        and entry["objectRef"]["name"].startswith("writer-")
    ]
    pods = {entry["user"]["extra"]["authentication.kubernetes.io/pod-name"][0] for entry in writes}
    assert pods == {controller.leader()}
    assert len(writes) == 5, "one write each"
