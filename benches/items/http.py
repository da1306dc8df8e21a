"""HTTP/1.1 with keep-alive: small and middling answers, in the clear and with TLS."""

import re

from figures import Metric
from peers import HOST, caddy, direct, envoy, haproxy, nginx, steadygate, traefik

TITLE = "HTTP/1.1, keep-alive, 64 connections"
PEERS = [steadygate.Steadygate, haproxy.Haproxy, nginx.Nginx, envoy.Envoy, traefik.Traefik, caddy.Caddy, direct.Direct]
SIZES = {"1 KiB": 1024, "64 KiB": 65_536}
RATE = 4_000
METRICS = [
    metric
    for scheme in ("http", "https")
    for size in SIZES
    for metric in [
        Metric(f"{scheme} {size} cpu", f"{scheme}, {size}: CPU a request", "µs", 2),
        Metric(f"{scheme} {size} rate", f"{scheme}, {size}: requests a second, closed loop", "/s", 0, "more"),
        Metric(f"{scheme} {size} closed p99", f"{scheme}, {size}: p99, closed loop", "ms", 2),
    ]
    + [
        Metric(f"{scheme} {size} {part}", f"{scheme}, {size}: {part} at {RATE:,} requests/s", "ms", 2)
        for part in ("p50", "p99", "p99.9")
        if size == "1 KiB"
    ]
] + [
    Metric("wrk cpu", "check with wrk, http, 1 KiB: CPU a request", "µs", 2),
    Metric("wrk rate", "check with wrk, http, 1 KiB: requests a second", "/s", 0, "more"),
]


def measure(world):
    for scheme in ("http", "https") if world.proxy else ("http",):
        for size, count in SIZES.items():
            url = world.site.url(scheme, f"/bytes/{count}")
            world.http(url, world.seconds(0.3))
            yield from closed_loop(f"{scheme} {size}", world.http(url, world.seconds(1.5)))
            if size == "1 KiB":
                yield from latency(f"{scheme} {size}", world.http(url, world.seconds(1.5), rate=RATE)[0])
    said, cpu = world.check(
        ["wrk", "--threads", 1, "--connections", 64, "--duration", 1, "--header", f"Host: {HOST}", world.site.url()]
    )
    requests = int(re.search(r"(\d+) requests in", said)[1])
    yield "wrk rate", float(re.search(r"Requests/sec: +([\d.]+)", said)[1])
    if cpu:
        yield "wrk cpu", cpu / requests * 1e6


def closed_loop(name, measured):
    """Figures of requests sent as fast as they are answered."""
    answer, cpu = measured
    yield f"{name} failed", answer["failed"]
    if cpu:
        yield f"{name} cpu", cpu / answer["requests"] * 1e6
        yield f"{name} busy", cpu / answer["seconds"]
    yield f"{name} rate", answer["requests"] / answer["seconds"]
    yield f"{name} closed p99", answer["latency"]["p99"] / 1e3


def latency(name, answer):
    """Figures of requests at a fixed rate, in milliseconds."""
    yield f"{name} paced failed", answer["failed"]
    for part in ("p50", "p99", "p999"):
        yield f"{name} {part.replace('999', '99.9')}", answer["latency"][part] / 1e3
