"""The headline: a route of nobody here changes again and again, under sessions, one more with each change, and requests."""

import statistics
import time

from figures import Metric
from machine import Failed
from peers import HOST, caddy, envoy, haproxy, nginx, steadygate, traefik

TITLE = "100 unrelated changes under 1,000 sessions and 340 requests a second"
PEERS = [
    steadygate.Steadygate, haproxy.Haproxy, nginx.Nginx, envoy.Envoy, traefik.TraefikQuick, caddy.Caddy,
    (haproxy.HaproxyStop, 1), (nginx.NginxShutdown, 1), (envoy.EnvoyInline, 1), (traefik.Traefik, 1), (caddy.CaddyDelay, 1),
]  # fmt: skip
SESSIONS, CHANGES, EVERY, RATE = 1_000, 100, 0.05, 340
# A change of those takes seconds, so there are fewer; and those end what is old after ten seconds, which is waited for.
SLOW, FEW = (traefik.Traefik,), 10
LINGER = {haproxy.HaproxyStop: 11, nginx.NginxShutdown: 11, envoy.EnvoyInline: 11}
METRICS = [
    Metric("changes", "changes", "", 0, None),
    Metric("cut", "sessions cut, of those open before and opened between", "", 0),
    Metric("not opened", "sessions that could not be opened between", "", 0),
    Metric("requests failed", "requests failed", "", 0),
    Metric("processes", "processes afterwards", "", 0),
    Metric("before", "memory before", "MiB"),
    Metric("growth", "memory grown by", "MiB"),
    Metric("served", "from changed to served, median", "ms"),
    Metric("served p99", "from changed to served, p99", "ms"),
    Metric("cpu", "CPU of a change, beyond that of the requests", "ms"),
    Metric("latency p99", "p99 of the requests meanwhile", "ms"),
    Metric("gap", "longest time without an answer", "ms"),
]


def measure(world):
    changes = FEW if world.kind in SLOW else world.count(CHANGES)
    world.open("before", world.count(SESSIONS))
    world.load("echo", name="before", size=125)
    world.load("traffic", url=world.site.url(), host=HOST, connections=8, rate=RATE)
    a_second = usual(world)
    memory, cpu, began = world.proxy.pss(), world.proxy.cpu(), time.monotonic()
    world.load("traffic_so_far")

    served, not_opened = [], 0
    for revision in range(1, changes + 1):
        due = time.monotonic() + EVERY
        served.append(world.changed(revision) * 1e3)
        not_opened += not one_more(world)
        time.sleep(max(0, due - time.monotonic()))
    spent = world.proxy.cpu().since(cpu) - a_second * (time.monotonic() - began)

    yield "changes", changes
    yield "processes", len(world.proxy.tree())
    yield "before", memory / (1 << 20)
    yield "growth", (world.proxy.pss() - memory) / (1 << 20)
    yield "served", statistics.median(served)
    yield "served p99", sorted(served)[int(len(served) * 0.99 - 0.5)]
    yield "cpu", spent / changes * 1e3
    yield "latency p99", world.load("traffic_so_far")["latency"]["p99"] / 1e3
    time.sleep(LINGER.get(world.kind, 0.5))
    ended = world.load("traffic_end")
    yield "requests failed", ended["failed"]
    yield "gap", ended["gap"] * 1e3
    yield "cut", sum(world.load("state", name=name)["cut"] for name in ("before", "between"))
    yield "not opened", not_opened


def usual(world):
    """Seconds of CPU a second, before anything changes."""
    time.sleep(0.3)
    before, began = world.proxy.cpu(), time.monotonic()
    time.sleep(1)
    return world.proxy.cpu().since(before) / (time.monotonic() - began)


def one_more(world):
    try:
        world.open("between", 1)
    except Failed:
        return False
    return True
