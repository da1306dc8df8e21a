"""The API server, etcd and the leader go away and come back; clients do not notice, and status is right afterwards."""

import time

import pytest

from client import ask
from objects import ingress, path, rule
from traffic import Requests, Sessions

# How long the API server is away.
AWAY = 60


@pytest.fixture
def site(kubectl, controller, namespace, backends, wait_until):
    backends(namespace, "app", replicas=2)
    host = f"{namespace}.faults.example"
    kubectl.apply(ingress("app", rule(host, path("/", "app"))), namespace=namespace)
    wait_until(lambda: ask(controller.address, "/", host).status == 200)
    return Site(kubectl, controller, namespace, host)


class Site:
    def __init__(self, kubectl, controller, namespace, host):
        self.kubectl, self.controller, self.namespace, self.host = kubectl, controller, namespace, host

    def traffic(self):
        return Requests(self.controller.address, self.host), Sessions(
            f"ws://{self.host}/", self.controller.address, 50
        )

    def addresses(self, name):
        status = self.kubectl.json("get", "ingress", name, "-n", self.namespace).get("status", {})
        return [entry.get("ip") for entry in status.get("loadBalancer", {}).get("ingress", [])]

    def still_follows(self, name, wait_until, timeout=60):
        """A new Ingress is served, and told its address."""
        host = f"{name}.{self.host}"
        self.kubectl.apply(ingress(name, rule(host, path("/", "app"))), namespace=self.namespace)
        wait_until(lambda: ask(self.controller.address, "/", host).status == 200, timeout=timeout)
        wait_until(lambda: self.addresses(name) == [self.controller.address], timeout=timeout)

    def generation_of_pods(self):
        return {name: restarts(pod) for name, pod in self.controller.pods().items()}


def restarts(pod):
    return sum(status["restartCount"] for status in pod["status"]["containerStatuses"])


def api_answers(kubectl):
    return kubectl("get", "--raw", "/readyz", check=False).returncode == 0


def test_the_api_server_is_away_for_a_minute(site, cluster, kubectl, wait_until):
    pods = site.generation_of_pods()
    requests, sessions = site.traffic()
    with requests, sessions:
        cluster.stop("kube-apiserver")
        assert not api_answers(kubectl)
        time.sleep(AWAY)
        cluster.start("kube-apiserver")
        wait_until(lambda: api_answers(kubectl), timeout=60)
        site.still_follows("after-api", wait_until)
        assert not sessions.ended, sessions.ends()
    assert requests.failures == []
    assert site.generation_of_pods() == pods, "no controller was restarted"


def test_etcd_is_restarted(site, cluster, kubectl, wait_until):
    pods = site.generation_of_pods()
    requests, sessions = site.traffic()
    with requests, sessions:
        cluster.restart("etcd")
        wait_until(lambda: api_answers(kubectl), timeout=60)
        site.still_follows("after-etcd", wait_until)
        assert not sessions.ended, sessions.ends()
    assert requests.failures == []
    assert site.generation_of_pods() == pods


def test_the_leader_is_killed(site, controller, kubectl, wait_until):
    wait_until(lambda: controller.leader() is not None)
    leader = controller.leader()
    requests, _ = site.traffic()
    with requests:
        kubectl("delete", "pod", leader, "-n", controller.namespace, "--grace-period=0", "--force")
        wait_until(lambda: controller.leader() not in (None, leader), timeout=60)
        site.still_follows("after-leader", wait_until)
        controller.wait()
    # A pod killed at once takes what it was just answering with it, and new connections until the Service knows;
    # the other replica's clients are not touched, and nothing fails once it has gone from the Service.
    assert len(requests.failures) < requests.answered / 10, requests.failures[:5]


def test_one_replica_writes_status(site, controller, kubectl, cluster, wait_until):
    """By the audit log: who patched status while an Ingress was made, named by pod."""
    began = time.time()
    for number in range(5):
        name = f"writer-{number}"
        kubectl.apply(ingress(name, rule(f"{name}.{site.host}", path("/", "app"))), namespace=site.namespace)
    wait_until(lambda: all(site.addresses(f"writer-{number}") for number in range(5)))
    writes = [
        entry
        for entry in cluster.audit(since=began)
        if entry["verb"] == "patch" and entry.get("objectRef", {}).get("subresource") == "status"
        and entry["objectRef"].get("namespace") == site.namespace
        and entry["objectRef"]["resource"] == "ingresses"
    ]
    pods = {entry["user"]["extra"]["authentication.kubernetes.io/pod-name"][0] for entry in writes}
    assert pods == {controller.leader()}
    assert len(writes) == 5, "one write each"
