"""HTTP/2 from clients, many streams on few connections, to backends that speak HTTP/1.1."""

import re

from figures import Metric
from items import http
from items.http import closed_loop, latency
from peers import HOST

TITLE = "HTTP/2 with TLS, 8 connections of 32 streams, to HTTP/1.1 backends"
PEERS = http.PEERS[:-1]
RATE = 4_000
METRICS = [
    Metric("1 KiB cpu", "1 KiB: CPU a request", "µs", 2),
    Metric("1 KiB rate", "1 KiB: requests a second, closed loop", "/s", 0, "more"),
    Metric("64 KiB cpu", "64 KiB: CPU a request", "µs", 2),
    Metric("64 KiB rate", "64 KiB: requests a second, closed loop", "/s", 0, "more"),
    *(Metric(f"1 KiB {part}", f"1 KiB: {part} at {RATE:,} requests/s", "ms", 2) for part in ("p50", "p99", "p99.9")),
    Metric("h2load cpu", "check with h2load, 1 KiB: CPU a request", "µs", 2),
    Metric("h2load rate", "check with h2load, 1 KiB: requests a second", "/s", 0, "more"),
]


def measure(world):
    many = {"connections": 8, "streams": 32, "version": "2"}
    for size, count in http.SIZES.items():
        url = world.site.url("https", f"/bytes/{count}")
        world.http(url, world.seconds(0.3), **many)
        yield from closed_loop(size, world.http(url, world.seconds(1.5), **many))
        if size == "1 KiB":
            yield from latency(size, world.http(url, world.seconds(1.5), rate=RATE, **many)[0])
    asked = 4_000 if world.quick else 15_000
    said, cpu = world.check(
        ["h2load", "--requests", asked, "--clients", 8, "--max-concurrent-streams", 32,
         f"--connect-to=127.0.0.1:{world.site.https}", f"https://{HOST}/bytes/1024"]
    )  # fmt: skip
    succeeded = int(re.search(r"(\d+) succeeded", said)[1])
    yield "h2load failed", asked - succeeded
    if succeeded:
        yield "h2load cpu", cpu / succeeded * 1e6
        yield "h2load rate", float(re.search(r"([\d.]+) req/s", said)[1])
