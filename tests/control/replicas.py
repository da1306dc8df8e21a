"""Replicas of the controller that write status, each test with a lease of its own."""

import itertools
import time

import pytest

from gateway import wait_for

numbers = itertools.count(1)

# As in client-go: what a lease lasts, what a holder goes on for, and what is between two tries, jitter included.
LEASE, DEADLINE, RETRY = 15, 10, 2.4
ADDRESS = "192.0.2.10"
MANAGER = "steadygate.io/ingress-controller"


@pytest.fixture
def replica(make):
    """`replica(…)`: a controller that runs, a candidate for this test's lease."""
    common = f"status-{next(numbers)}"

    def start(*arguments, publish=("--publish-address", ADDRESS), lease=common, **named):
        started = make(**named)
        started.lease = lease
        return started.start("--lease", f"default/{lease}", *publish, *arguments)

    return start


@pytest.fixture
def leader(replica):
    """A controller that leads."""
    started = replica()
    wait_for(lambda: leads(started), "it leads", 5)
    return started


def leads(replica):
    return replica.metric("steadygate_leader") == 1


def writes(replica, kind=None, result=None):
    """How often it has written."""
    total = 0
    for line in replica.admin_text("/metrics").splitlines():
        if line.startswith("steadygate_status_writes_total{"):
            wanted = [f'{key}="{value}"' for key, value in (("kind", kind), ("result", result)) if value]
            if all(label in line for label in wanted):
                total += float(line.rpartition(" ")[2])
    return total


def steady(replica, seconds):
    """Whether it writes nothing for so long."""
    before = writes(replica)
    time.sleep(seconds)
    return writes(replica) == before


def settled(replica):
    """Waits until it has nothing more to write."""
    wait_for(lambda: steady(replica, 1.5), "nothing more is written", 30)


def ingress_path(namespace, name):
    return f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}"


def gateway_path(namespace, name):
    return f"/apis/steadygate.io/v1alpha1/namespaces/{namespace}/applicationgateways/{name}"


def addresses(api, namespace, name):
    """The addresses in the status of an Ingress."""
    entries = api.json("GET", ingress_path(namespace, name))["status"]["loadBalancer"].get("ingress", [])
    return [entry.get("ip") or entry.get("hostname") for entry in entries]


def gateway_status(api, namespace, name):
    return api.json("GET", gateway_path(namespace, name)).get("status", {})


def condition(api, namespace, name, kind):
    for found in gateway_status(api, namespace, name).get("conditions", []):
        if found["type"] == kind:
            return found
    return {}


def managers(entry):
    """Who has written the status of an object."""
    fields = entry["metadata"].get("managedFields", [])
    return {field["manager"] for field in fields if field.get("subresource") == "status"}
