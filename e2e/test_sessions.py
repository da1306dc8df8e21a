"""Sessions as an operator sees them in the cluster: by `kubectl exec`, for the image has one program and no shell."""

import json

import pytest

from client import ask
from kubernetes import wait_until
from manifests import deploy, ingress, path, rule
from traffic import Sessions

COUNT = 20


@pytest.fixture
def host(controller, namespace):
    deploy(namespace, "app", replicas=2)
    host = f"{namespace.name}.sessions.example"
    namespace.apply(ingress("app", rule(host, path("/", "app"))))
    # Each replica probes for itself: several answers in a row.
    wait_until(lambda: {ask(controller.address, "/", host).status for _ in range(8)} == {200})
    return host


def steadygate(controller, *arguments):
    """What the command says in each replica."""
    of, kubectl = controller.namespace.name, controller.namespace.kubectl
    return [kubectl.run("-n", of, "exec", pod, "--", "/steadygate", *arguments) for pod in controller.pods()]


def listed(controller, object):
    answers = steadygate(controller, "sessions", "--json", "--object", object)
    return [session for answer in answers for session in json.loads(answer.stdout or '{"sessions": []}')["sessions"]]


def test_sessions_are_listed_and_closed_by_their_pod(controller, namespace, host):
    names = namespace("get", "pods", "-l", "app=app", "-o", "name").replace("pod/", "").split()
    with Sessions(f"ws://{host}/", controller.address, COUNT) as sessions:
        seen = listed(controller, f"{namespace.name}/app")
        assert len(seen) == COUNT and {session["state"] for session in seen} == {"open"}
        assert {session["pod"] for session in seen} == {f"Pod {namespace.name}/{name}" for name in names}
        there = sum(session["pod"].endswith(names[0]) for session in seen)
        steadygate(
            controller, "sessions", "close", "--pod", f"{namespace.name}/{names[0]}", "--code", "4001", "--reason", "moved"
        )
        wait_until(lambda: len(sessions.ended) == there)
        assert sessions.ends() == {"4001 moved": there}
        wait_until(lambda: len(listed(controller, f"{namespace.name}/app")) == COUNT - there)
