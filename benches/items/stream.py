"""Streams without HTTP: a proxy passes on bytes of which it knows nothing, in the clear and with TLS that it terminates.

The clients and the backend are those of WebSocket, so that the figures can be held against that item's: here no proxy knows what
passes.
"""

from figures import Metric
from items import memory
from peers import direct, envoy, haproxy, steadygate
from world import none_failed

TITLE = "Streams without HTTP: bytes and sessions"
PEERS = [steadygate.Steadygate, haproxy.Haproxy, envoy.Envoy, direct.Direct]
# Bytes of a message, and how many echoes each of 64 sessions makes.
SIZES = {"125 B": (125, 500), "64 KiB": (65_536, 40)}
BULK = 128 << 20
METRICS = [
    metric
    for scheme in ("tcp", "tls")
    for metric in [
        Metric(f"{scheme} open", f"{scheme}: CPU a connection", "µs"),
        *(Metric(f"{scheme} {size}", f"{scheme}: CPU an echo of {size}", "µs", 2) for size in SIZES),
        Metric(f"{scheme} bulk cpu", f"{scheme}: CPU a GiB, each way counted", "s", 2),
        Metric(f"{scheme} bulk", f"{scheme}: bulk, each way counted", "MiB/s", 0, "more"),
        Metric(f"{scheme} idle", f"{scheme}: an idle session", "KiB"),
    ]
]


def measure(world):
    for scheme in ("tcp", "tls") if world.proxy else ("tcp",):
        world.open(scheme, 100, scheme)
        opened, cpu = world.open(scheme, world.count(2_000), scheme)
        if cpu:
            yield f"{scheme} open", cpu / opened["opened"] * 1e6
        for size, (count, rounds) in SIZES.items():
            asked = {"name": scheme, "size": count, "sessions": 64}
            none_failed(world.load("echo", rounds=5, **asked))
            answer, cpu = world.costs("echo", rounds=world.count(rounds), **asked)
            if cpu:
                yield f"{scheme} {size}", cpu / none_failed(answer)["messages"] * 1e6
        bulk = world.count(BULK)
        answer, cpu = world.costs("bulk", name=scheme, size=65_536, bytes=bulk, sessions=4)
        if cpu:
            yield f"{scheme} bulk cpu", cpu / (2 * bulk / (1 << 30))
            yield f"{scheme} bulk busy", cpu / answer["seconds"]
        yield f"{scheme} bulk", 2 * bulk / (1 << 20) / none_failed(answer)["seconds"]
        world.load("close", name=scheme)
    for scheme in ("tcp", "tls") if world.proxy else ():
        # Another process, so that nothing is there to be used again.
        world.anew()
        yield f"{scheme} idle", memory.idle(world, scheme)
