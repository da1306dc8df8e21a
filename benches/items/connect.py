"""New connections, each with one request."""

from figures import Metric
from items import http
from peers import HOST
from world import none_failed

TITLE = "New connections, each with one request of 1 KiB"
PEERS = http.PEERS[:-1]
KINDS = {"TCP": "none", "TLS 1.3, full": "full", "TLS 1.3, resumed": "resumed"}
METRICS = [
    metric
    for kind in KINDS
    for metric in [
        Metric(f"{kind} cpu", f"{kind}: CPU a connection", "µs"),
        Metric(f"{kind} p50", f"{kind}: p50", "ms", 2),
        Metric(f"{kind} p99", f"{kind}: p99", "ms", 2),
    ]
] + [Metric("TLS 1.3, resumed share", "resumed, of those asked for", "%", 0, None)]


def measure(world):
    for kind, tls in KINDS.items():
        url = world.site.url("http" if tls == "none" else "https")
        asked = {"url": url, "host": HOST, "concurrency": 16, "tls": tls, "request": True}
        none_failed(world.load("connect", count=100, **asked))
        answer, cpu = world.costs("connect", count=world.count(3_000), **asked)
        yield f"{kind} cpu", cpu / none_failed(answer)["count"] * 1e6
        for part in ("p50", "p99"):
            yield f"{kind} {part}", answer["latency"][part] / 1e3
    yield "TLS 1.3, resumed share", answer["resumed"] / answer["count"] * 100
