"""Streams without HTTP: a proxy passes on bytes of which it knows nothing, in the clear and with TLS that it terminates.

The clients and the backend are those of WebSocket, so that the figures can be held against that item's: here no proxy knows what
passes.
"""

from figures import Metric
from items import memory, websocket
from peers import direct, envoy, haproxy, steadygate

TITLE = "Streams without HTTP: bytes and sessions"
PEERS = [steadygate.Steadygate, haproxy.Haproxy, envoy.Envoy, direct.Direct]
METRICS = [
    metric
    for scheme in ("tcp", "tls")
    for metric in [
        Metric(f"{scheme} open", f"{scheme}: CPU a connection", "µs"),
        *(Metric(f"{scheme} {size}", f"{scheme}: CPU an echo of {size}", "µs", 2) for size in websocket.SIZES),
        Metric(f"{scheme} bulk cpu", f"{scheme}: CPU a GiB, each way counted", "s", 2),
        Metric(f"{scheme} bulk", f"{scheme}: bulk, each way counted", "MiB/s", 0, "more"),
        Metric(f"{scheme} idle", f"{scheme}: an idle session", "KiB"),
    ]
]


def measure(world):
    for scheme in ("tcp", "tls") if world.proxy else ("tcp",):
        yield from websocket.traffic(world, scheme, f"{scheme} open")
        world.load("close", name=scheme)
    for scheme in ("tcp", "tls") if world.proxy else ():
        # Another process, so that nothing is there to be used again.
        world.anew()
        yield f"{scheme} idle", memory.idle(world, scheme)
