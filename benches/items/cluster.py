"""A controller in a real cluster: a thousand Ingresses made, served and told so; and one more among them."""

import json
import os
import statistics
import time

from figures import Metric
from machine import wait_for
from peers import cluster

TITLE = "In a cluster: 1,000 Ingresses"
# Traefik takes minutes: its client writes five statuses a second, and serves nothing new before.
PEERS = [cluster.Steadygate, (cluster.Traefik, 1), (cluster.TraefikQuick, 1)]
COUNT, MORE = 1_000, 20
METRICS = [
    Metric("attach", "1,000 Ingresses made one after another: from the last made until all are served", "s", 2),
    Metric("status", "the same, until the status of all says so", "s", 1),
    Metric("writes", "status writes for an Ingress", "", 2),
    Metric("cpu", "CPU of all that", "s", 2),
    Metric("memory", "memory then", "MiB"),
    Metric("served", "one more: from made until served, median", "ms"),
    Metric("served max", "one more: the same, longest", "ms"),
]


def measure(world):
    peer, before, count = world.peer, world.proxy.cpu(), world.count(COUNT)
    for number in range(count):
        peer.make(f"many-{number}", f"many-{number}.example", "/")
    made = time.monotonic()
    for number in range(count):
        until_served(world, f"many-{number}.example")
    yield "attach", time.monotonic() - made
    wait_for(lambda: told(peer) >= count, "all statuses are written", 120, 0.2)
    yield "status", time.monotonic() - made
    yield "cpu", world.proxy.cpu().since(before)
    yield "memory", world.proxy.pss() / (1 << 20)
    served = []
    for number in range(MORE):
        peer.make(f"more-{number}", f"more-{number}.example", "/")
        served.append(until_served(world, f"more-{number}.example") * 1e3)
    yield "served", statistics.median(served)
    yield "served max", max(served)
    yield "writes", writes(peer.namespace, "many-") / count


def until_served(world, host):
    asked = {"url": world.site.url(path="/"), "host": host, "path": "/", "status": 200, "backend": None}
    return world.load("until", timeout=300, **asked)["seconds"]


def told(peer):
    """How many Ingresses have an address."""
    items = peer.api("GET", peer.ingresses)["items"]
    return sum(bool(each["status"]["loadBalancer"]) for each in items if each["metadata"]["name"].startswith("many-"))


def writes(namespace, prefix):
    """The status writes to Ingresses of that prefix, by the API server's audit log."""
    found = 0
    with open(os.environ["AUDIT_LOG"]) as log:
        for line in log:
            if '"status"' in line and f'"{namespace}"' in line:
                about = json.loads(line).get("objectRef", {})
                which = [about.get(part) for part in ("namespace", "resource", "subresource")]
                found += which == [namespace, "ingresses", "status"] and about.get("name", "").startswith(prefix)
    return found
