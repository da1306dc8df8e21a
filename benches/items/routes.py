"""Many routes, a host and a path each: start, memory, look-up, and one that changes among them."""

import re
import statistics
import time
from pathlib import Path

from figures import Metric
from machine import Failed
from peers import caddy, envoy, haproxy, nginx, steadygate, traefik

TITLE = "Routes: so many hosts with a path each"
PEERS = [steadygate.Steadygate, haproxy.Haproxy, nginx.Nginx, envoy.Envoy, traefik.TraefikQuick, caddy.Caddy]
# How long a start or a change may take, for each number of routes; the last is measured in the first round alone.
SIZES = {100: 10, 10_000: 20, 100_000: 60}
# Those look through their routes one by one: a request takes milliseconds already among 10,000.
NOT_AMONG_MOST = (traefik.TraefikQuick, caddy.Caddy)
CHANGES, AT_MOST = 20, 6.0
METRICS = [
    metric
    for size in SIZES
    for metric in [
        Metric(f"{size} start", f"{size:,}: start until all is served", "s", 2),
        Metric(f"{size} start cpu", f"{size:,}: CPU of the start", "s", 2),
        Metric(f"{size} memory", f"{size:,}: memory", "MiB"),
        Metric(f"{size} request", f"{size:,}: CPU a request, random hosts", "µs", 2),
        Metric(f"{size} served", f"{size:,}: one object changed, until served, median", "ms"),
        Metric(f"{size} served max", f"{size:,}: the same, longest", "ms"),
        Metric(f"{size} change cpu", f"{size:,}: CPU of a change", "ms"),
        Metric(f"{size} memory then", f"{size:,}: memory after the changes", "MiB"),
    ]
]


def measure(world):
    for size, timeout in SIZES.items():
        if size == max(SIZES) and (world.turn or world.quick or world.kind in NOT_AMONG_MOST):
            return
        try:
            yield from among(world, size, timeout)
        except Failed as error:
            raise Failed(f"{size:,} routes: {error}") from None


def among(world, size, timeout):
    world.anew(routes=size, timeout=timeout)
    yield f"{size} start", world.peer.took
    yield f"{size} start cpu", world.proxy.cpu().total()
    time.sleep(1)
    yield f"{size} memory", world.proxy.pss() / (1 << 20)

    script = Path(__file__).with_name("random_hosts.lua")
    asked = ["wrk", "--threads", 1, "--connections", 16, "--duration", 1, "--script", script, world.site.url(), "--", size]
    said, cpu = world.check(asked)
    if others := re.search(r"Non-2xx or 3xx responses: (\d+)", said):
        yield f"{size} request failed", int(others[1])
    yield f"{size} request", cpu / int(re.search(r"(\d+) requests in", said)[1]) * 1e6

    served, cpu, began = [], world.proxy.cpu(), time.monotonic()
    while len(served) < CHANGES and (not served or time.monotonic() - began < AT_MOST):
        served.append(world.changed(len(served) + 1, timeout=timeout) * 1e3)
    yield f"{size} served", statistics.median(served)
    yield f"{size} served max", max(served)
    yield f"{size} change cpu", world.proxy.cpu().since(cpu) / len(served) * 1e3
    yield f"{size} memory then", world.proxy.pss() / (1 << 20)
