"""What an idle WebSocket session weighs, and what is left when all have been closed."""

import time

from figures import Metric
from items import http
from world import none_failed

TITLE = "Memory of idle WebSocket sessions, after a message each"
PEERS = http.PEERS[:-1]
SESSIONS, BEFORE = 4_000, 200
METRICS = [
    Metric("base", "before any session", "MiB"),
    *(
        metric
        for scheme in ("ws", "wss")
        for metric in [
            Metric(f"{scheme} idle", f"{scheme}: an idle session", "KiB"),
            Metric(f"{scheme} left", f"{scheme}: more than before any session, 3 s after all were closed", "MiB"),
        ]
    ),
]
RATE, SETTLE, LEFT = 4_000, 1, 3


def measure(world):
    yield from sessions(world, "ws")
    # Another process, so that nothing is there to be used again.
    world.anew()
    yield from sessions(world, "wss")


def sessions(world, scheme):
    base = world.proxy.pss()
    if scheme == "ws":
        yield "base", base / (1 << 20)
    yield f"{scheme} idle", idle(world, scheme)
    world.load("close", name="a")
    time.sleep(world.seconds(LEFT))
    yield f"{scheme} left", (world.proxy.pss() - base) / (1 << 20)


def idle(world, scheme):
    """KiB of a session that has had its message."""
    world.open("a", BEFORE, scheme)
    few = settled(world, BEFORE)
    opened, _ = world.open("a", world.count(SESSIONS), scheme)
    return (settled(world, BEFORE + opened["opened"]) - few) / opened["opened"] / 1024


def settled(world, sessions):
    """Bytes, some time after each session has had its message: one after another, for all at once would need buffers for all."""
    none_failed(world.load("paced", name="a", size=125, rate=RATE, seconds=1.1 * sessions / RATE))
    time.sleep(world.seconds(SETTLE))
    return world.proxy.pss()
