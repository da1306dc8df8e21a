"""Constant requests and 200 sessions, while pods and objects come and go: nothing fails, nothing is cut that need not be."""

import time

import pytest

from client import Connection, ask, certificate, certificate_shown, der, unverified
from kubernetes import wait_until
from manifests import deploy, ingress, path, rule, tls_secret
from traffic import Requests, Sessions

SESSIONS = 200


@pytest.fixture
def site(controller, namespace):
    """A host with TLS in front of four pods that say Close before they go."""
    deploy(namespace, "app", replicas=4, on_term="close")
    host = f"{namespace.name}.rollout.example"
    crt, key = certificate(host)
    namespace.apply(tls_secret("tls", crt, key))
    site = Site(controller, namespace, host, crt)
    site.publish()
    # Each replica probes for itself: several answers in a row.
    wait_until(lambda: {ask(controller.address, "/", host).status for _ in range(8)} == {200})
    return site


class Site:
    """An Ingress for one host, and what clients do there."""

    def __init__(self, controller, namespace, host, crt):
        self.namespace, self.host, self.crt = namespace, host, crt
        self.address = controller.address

    def object(self):
        plain = {"steadygate.io/ssl-redirect": "false"}
        return ingress(
            "app", rule(self.host, path("/", "app")), tls=[("tls", [self.host])], annotations=plain
        )

    def publish(self):
        self.namespace.apply(self.object())

    def requests(self, **more):
        return Requests(self.address, self.host, **more)

    def sessions(self, count=SESSIONS, secure=False):
        scheme = "wss" if secure else "ws"
        return Sessions(f"{scheme}://{self.host}/", self.address, count, tls=unverified() if secure else None)

    def pods(self):
        items = self.namespace.json("get", "pods", "-l", "app=app")["items"]
        return {pod["metadata"]["name"] for pod in items if "deletionTimestamp" not in pod["metadata"]}

    def rollout(self, verb="status"):
        self.namespace("rollout", verb, "deployment/app")

    def scale(self, replicas):
        self.namespace("scale", "deployment/app", f"--replicas={replicas}")
        self.rollout()


@pytest.mark.parametrize("on_term,methods", [("close", ["GET", "POST"]), ("exit", ["GET"])])
def test_a_rolling_restart_of_the_backend(site, on_term, methods):
    """`exit`: pods that stop at once on SIGTERM. The gateway sends Close for them, and asks another pod where that is safe.
    A POST that such a pod had begun to work on is lost with it."""
    deploy(site.namespace, "app", replicas=4, on_term=on_term)
    site.rollout()
    before = site.pods()
    with site.requests(methods=methods) as requests, site.sessions() as sessions:
        site.rollout("restart")
        site.rollout()
        after = site.pods()
        assert not before & after
        wait_until(lambda: not sessions.live, timeout=30)
        time.sleep(1)  # requests go on: none of them may fail after the last session has moved
    assert requests.failures == []
    assert requests.answered > 200
    assert all(end.startswith("1001") for end in sessions.ends()), sessions.ends()
    assert len(sessions.ended) == SESSIONS


def test_one_pod_that_goes_takes_only_its_own_sessions(site):
    with site.requests() as requests, site.sessions() as sessions:
        victim = sessions.sessions[0].pod
        site.namespace("delete", "pod", victim, "--wait=true")
        site.rollout()
        mine = [session for session in sessions.sessions if session.pod == victim]
        others = [session for session in sessions.sessions if session.pod != victim]
        wait_until(lambda: all(session.end for session in mine))
        time.sleep(2)  # a session of another pod that is closed by mistake would be closed in this time
        assert all(session.end and session.end.startswith("1001") for session in mine), sessions.ends()
        assert all(session.end is None and session.echoes for session in others), sessions.ends()
    assert len(mine) >= SESSIONS // 8
    assert requests.failures == []


def test_scaled_from_2_to_20_to_2(site):
    site.scale(2)
    with site.requests() as requests, site.sessions() as sessions:
        stayed = site.pods()
        site.scale(20)
        wait_until(lambda: len({ask(site.address, "/", site.host).pod for _ in range(60)}) >= 18)
        assert not sessions.ended, sessions.ends()
        site.scale(2)
        wait_until(lambda: len(site.pods()) == 2)
        kept = stayed & site.pods()
        wait_until(lambda: all(session.end for session in sessions.sessions if session.pod not in kept))
        time.sleep(3)  # a session of a pod that stays would be closed in this time
        for session in sessions.sessions:
            assert (session.end is None) == (session.pod in kept), session
        assert all(end.startswith("1001") for end in sessions.ends()), sessions.ends()
    assert requests.failures == []
    assert len(requests.pods) >= 18


def test_an_ingress_deleted_and_applied_again_keeps_its_sessions(site):
    with site.sessions(secure=True) as sessions:
        site.namespace("delete", "ingress", "app")
        wait_until(lambda: ask(site.address, "/", site.host).status == 404)
        site.publish()
        wait_until(lambda: ask(site.address, "/", site.host).status == 200)
        time.sleep(8)  # longer than sessions take to be closed whose route is removed, and two echoes
        assert not sessions.ended, sessions.ends()
        assert all(session.echoes >= 2 for session in sessions.live)


def test_sessions_are_closed_when_their_ingress_is_deleted(site):
    with site.sessions(secure=True) as sessions:
        site.namespace("delete", "ingress", "app")
        wait_until(lambda: not sessions.live)
        assert sessions.ends() == {"1001 route removed": SESSIONS}
    site.publish()
    wait_until(lambda: {ask(site.address, "/", site.host).status for _ in range(8)} == {200})
    with site.sessions(secure=True) as sessions:
        time.sleep(2)  # a session that the removal before still closes would be closed in this time
        assert not sessions.ended, sessions.ends()


def test_a_renewed_certificate_is_shown_at_once_and_garbage_is_not(site):
    renewed = certificate(site.host)
    with site.sessions(secure=True) as sessions, site.requests(port=443, tls=unverified()) as requests:
        assert certificate_shown(site.address, site.host) == der(site.crt)
        site.namespace.apply(tls_secret("tls", *renewed))
        applied, looks = time.monotonic(), []

        def is_shown():
            looks.append(time.monotonic())
            # Two replicas: it has to be seen several times in a row.
            return {certificate_shown(site.address, site.host) for _ in range(8)} == {der(renewed[0])}

        wait_until(is_shown, interval=0.02)
        took = looks[-1] - applied  # the handshakes of a look are the test's own time
        assert took < 2, took  # a fifth of a second, where nothing else uses the machine

        site.namespace.apply(tls_secret("tls", "no certificate", "no key"))
        wait_until(lambda: any(e["reason"] == "InvalidCertificate" for e in events(site)))
        assert {certificate_shown(site.address, site.host) for _ in range(8)} == {der(renewed[0])}
        assert not sessions.ended, sessions.ends()
    assert requests.failures == []


def events(site):
    return site.namespace.json("get", "events.events.k8s.io")["items"]


def test_a_rolling_restart_of_the_controller(site, controller):
    """Two replicas, clients that come by the Service. Every session receives a Close; none is reset."""
    before = set(controller.pods())
    assert len(before) == 2
    with site.requests() as requests, site.sessions() as sessions:
        controller.namespace("rollout", "restart", controller.workload)
        controller.wait()
        wait_until(lambda: not before & set(controller.pods()), timeout=90)
        # The sessions of the last pod are closed within its drain.
        wait_until(lambda: not sessions.live, timeout=60)
    assert requests.failures == []
    assert set(sessions.ends()) == {"1001 going away"}, sessions.ends()
    with Connection(site.address) as connection:
        assert connection.ask("/", site.host).status == 200
