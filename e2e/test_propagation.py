"""From `kubectl apply` answered to the first right response, with 10, 1,000 and 3,000 Ingresses there."""

import json
import os
import statistics
import time
from pathlib import Path

import pytest

from client import Connection
from kubernetes import wait_until
from manifests import deploy, ingress, path, rule

ROUNDS = 30
SIZES = [10, 1000, 3000]
REPORT = os.environ.get("PROPAGATION_REPORT")


@pytest.fixture(scope="module")
def crowd(kubectl, module_namespace):
    """`crowd(n)`: fills the namespace with Ingresses until there are n."""
    deploy(module_namespace, "app")
    made = 0

    def fill(count):
        nonlocal made
        for first in range(made, count, 500):
            numbers = range(first, min(first + 500, count))
            objects = [ingress(f"crowd-{n}", rule(f"crowd-{n}.example", path("/", "app"))) for n in numbers]
            module_namespace.apply(*objects)
        made = count
        return module_namespace

    yield fill
    # Thousands of objects less for what comes after.
    module_namespace("delete", "ingress", "--all", "--wait=false")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("size", SIZES)
def test_propagation(kubectl, controller, crowd, size):
    namespace = crowd(size)
    last = f"crowd-{size - 1}.example"
    wait_until(lambda: answer(controller.address, last) == 200, timeout=120)
    took = []
    for round_ in range(ROUNDS):
        host = f"round-{size}-{round_}.example"
        with Connection(controller.address) as connection:
            assert connection.ask("/", host).status == 404
            namespace.apply(ingress("round", rule(host, path("/", "app"))))
            applied = time.monotonic()
            while connection.ask("/", host).status != 200:
                assert time.monotonic() - applied < 10, f"{host} is not served after 10 s"
                if not connection.open:
                    pytest.fail("the connection was closed by a change of configuration")
                time.sleep(0.001)
            took.append((time.monotonic() - applied) * 1000)
    namespace("delete", "ingress", "round")
    took.sort()
    figures = {
        "ingresses": size,
        "median_ms": round(statistics.median(took), 1),
        "p99_ms": round(took[min(len(took) - 1, int(len(took) * 0.99))], 1),
    }
    print(f"propagation: {json.dumps(figures)}")
    if REPORT:
        with Path(REPORT).open("a") as file:
            file.write(json.dumps(figures) + "\n")
    # Far above what is measured (see docs/limits.md), so that it tells a fault and not a busy machine.
    assert figures["median_ms"] < 2000


def answer(address, host):
    with Connection(address) as connection:
        return connection.ask("/", host).status
