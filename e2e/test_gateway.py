"""ApplicationGateway over real pods: who is let in, by readiness and by probe, and what its status says."""

import socket
import time

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from client import ask, certificate
from kubernetes import wait_until
from manifests import backend_deployment, deploy, gateway, tls_secret

PROBE = {"path": "/healthz", "interval": 1, "timeout": 5, "unhealthyThreshold": 3}


@pytest.fixture
def chat(kubectl, controller, namespace):
    """Three pods behind an ApplicationGateway that probes /healthz; the kubelet asks /readyz."""
    deploy(namespace, "chat", replicas=3)
    host = f"{namespace.name}.gateway.example"
    namespace.apply(gateway("chat", "chat", [host], probe=PROBE))
    chat = Chat(kubectl, controller, namespace, host)
    wait_until(lambda: chat.serving() == set(chat.pods()))
    return chat


class Chat:
    def __init__(self, kubectl, controller, namespace, host):
        self.kubectl, self.address, self.namespace, self.host = kubectl, controller.address, namespace, host

    def pods(self):
        """Names and addresses of the pods."""
        items = self.namespace.json("get", "pods", "-l", "app=chat")["items"]
        return {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in items}

    def answer(self):
        return ask(self.address, "/", self.host)

    def serving(self, times=24):
        """The pods that answer, of enough requests to reach each of them."""
        return {answer.pod for answer in (self.answer() for _ in range(times)) if answer.pod}

    def session(self):
        return connect(f"ws://{self.host}/", sock=socket.create_connection((self.address, 80)), proxy=None)

    def session_pod(self):
        """The pod that a new session reaches; a status where the handshake is refused."""
        try:
            with self.session() as session:
                session.send("whoami")
                return session.recv(timeout=5)
        except InvalidStatus as refused:
            return refused.response.status_code

    def switch(self, pod, what, status):
        """Has a pod answer /readyz or /healthz with a status from now on."""
        answer = ask(self.pods()[pod], f"/control/{what}?status={status}", port=8080, method="POST")
        assert answer.status == 200

    def status(self):
        return self.namespace.json("get", "appgw", "chat").get("status", {})

    def counts(self):
        pools = self.status().get("backendAddressPools", [])
        return [(pool["name"], pool["up"], pool["down"]) for pool in pools]


def test_a_pod_that_is_not_ready_gets_nothing(chat):
    first, *others = chat.pods()
    chat.switch(first, "readyz", 503)
    wait_until(lambda: chat.serving() == set(others))
    assert {chat.session_pod() for _ in range(12)} == set(others)
    chat.switch(first, "readyz", 200)
    wait_until(lambda: chat.serving() == {first, *others})


def test_a_pod_that_is_ready_but_fails_the_probe_gets_nothing(chat, kubectl):
    first, *others = chat.pods()
    chat.switch(first, "healthz", 500)
    wait_until(lambda: chat.serving() == set(others))
    assert {chat.session_pod() for _ in range(12)} == set(others)
    pod = chat.namespace.json("get", "pod", first)
    assert {"type": "Ready", "status": "True"}.items() <= next(
        condition.items() for condition in pod["status"]["conditions"] if condition["type"] == "Ready"
    )
    wait_until(lambda: chat.counts() == [("pods", 2, 1)])
    chat.switch(first, "healthz", 200)
    wait_until(lambda: chat.serving() == {first, *others})
    wait_until(lambda: chat.counts() == [("pods", 3, 0)])


def test_readiness_and_probe_are_both_needed(chat):
    first, second, third = chat.pods()
    chat.switch(first, "readyz", 503)
    chat.switch(second, "healthz", 500)
    wait_until(lambda: chat.serving() == {third})
    assert {chat.session_pod() for _ in range(8)} == {third}
    # Mending one of two things is not enough for a pod that has both.
    chat.switch(first, "healthz", 500)
    time.sleep(4)  # three probes and more
    chat.switch(first, "readyz", 200)
    wait_until(lambda: ready(chat, first))
    assert chat.serving() == {third}
    for pod in (first, second):
        chat.switch(pod, "healthz", 200)
    wait_until(lambda: chat.serving() == {first, second, third})


def test_nobody_well_is_a_503_for_requests_and_handshakes_alike_and_open_sessions_stay(chat):
    with chat.session() as session:
        for pod in chat.pods():
            chat.switch(pod, "healthz", 500)
        # Each replica probes for itself: several answers in a row.
        wait_until(lambda: {chat.answer().status for _ in range(8)} == {503})
        assert "probe" in chat.answer().body.decode()
        assert chat.session_pod() == 503
        session.send("still here")
        assert session.recv(timeout=5) == "still here"
        wait_until(lambda: chat.counts() == [("pods", 0, 3)])


def test_a_probe_that_flaps_below_its_threshold_changes_nothing(chat):
    first, *_ = chat.pods()
    everyone = set(chat.pods())
    for _ in range(4):
        # Fewer failures in a row than the threshold: one probe a second, down for less than one of them.
        chat.switch(first, "healthz", 500)
        time.sleep(0.6)
        chat.switch(first, "healthz", 200)
        assert chat.serving() == everyone
        time.sleep(1.2)


def test_kubectl_get_shows_what_matters(chat, kubectl):
    wait_until(lambda: chat.counts() == [("pods", 3, 0)])
    header, row = chat.namespace("get", "appgw", "chat").splitlines()
    assert header.split()[:2] == ["NAME", "CLASS"]
    shown = dict(zip(header.split(), row.split(), strict=False))
    assert (shown["CLASS"], shown["PROGRAMMED"]) == ("steadygate", "True")
    conditions = {entry["type"]: entry for entry in chat.status()["conditions"]}
    generation = chat.namespace.json("get", "appgw", "chat")["metadata"]["generation"]
    for kind in ("Accepted", "Programmed", "ResolvedRefs"):
        assert (conditions[kind]["status"], conditions[kind]["observedGeneration"]) == ("True", generation)


def test_https_backends_are_verified_by_the_roots_of_a_configmap(controller, namespace):
    crt, key = certificate("backend.internal")
    deployment = backend_deployment("app", 1, ["-https=:8443"])
    pod = deployment["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "tls", "secret": {"secretName": "tls"}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "tls", "mountPath": "/tls"}]
    port = {"name": "https", "port": 443, "targetPort": 8443}
    service_ = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"}}
    service_["spec"] = {"selector": {"app": "app"}, "ports": [port]}
    host = f"{namespace.name}.https.example"
    object_ = gateway("app", "app", [host], port=443)
    object_["spec"]["trustedRootCertificates"] = [{"name": "roots", "configMapRef": {"name": "roots"}}]
    trusting = {"protocol": "Https", "hostName": "backend.internal", "trustedRootCertificates": [{"name": "roots"}]}
    object_["spec"]["backendHttpSettingsCollection"][0] |= trusting
    namespace.apply(tls_secret("tls", crt, key), roots(crt), deployment, service_, object_)
    namespace.wait_rolled_out("app")
    wait_until(lambda: ask(controller.address, "/", host).json["tls"] is True)

    namespace.apply(roots(certificate("backend.internal")[0]))
    wait_until(lambda: {ask(controller.address, "/", host).status for _ in range(8)} & {502, 503})


def roots(crt):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "roots"}, "data": {"ca.crt": crt}}


def ready(chat, pod):
    conditions = chat.namespace.json("get", "pod", pod)["status"]["conditions"]
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
