"""WebSocket: handshakes, messages, bulk, and latency while thousands of sessions are open."""

from figures import Metric
from items import http
from world import none_failed

TITLE = "WebSocket"
PEERS = http.PEERS
# Bytes of a message, and how many echoes each of 64 sessions makes.
SIZES = {"125 B": (125, 500), "4 KiB": (4_096, 250), "64 KiB": (65_536, 40)}
BULK = 128 << 20
RATE, OPEN = 2_000, 5_000
METRICS = [
    metric
    for scheme in ("ws", "wss")
    for metric in [
        Metric(f"{scheme} handshake", f"{scheme}: CPU a handshake", "µs"),
        *(Metric(f"{scheme} {size}", f"{scheme}: CPU a message of {size}", "µs", 2) for size in SIZES),
        Metric(f"{scheme} bulk cpu", f"{scheme}: CPU a GiB, each way counted", "s", 2),
        Metric(f"{scheme} bulk", f"{scheme}: bulk, each way counted", "MiB/s", 0, "more"),
    ]
] + [
    Metric(f"ws {part}", f"ws: {part} at {RATE:,} echoes/s, {OPEN:,} sessions open", "ms", 2) for part in ("p50", "p99", "p99.9")
]


def measure(world):
    for scheme in ("ws", "wss") if world.proxy else ("ws",):
        opened = yield from traffic(world, scheme, f"{scheme} handshake")
        if scheme == "ws":
            world.open(scheme, OPEN - 100 - opened)
            none_failed(world.load("echo", name=scheme, size=125))
            answer = none_failed(world.load("paced", name=scheme, size=125, rate=RATE, seconds=world.seconds(2.5)))
            for part in ("p50", "p99", "p999"):
                yield f"ws {part.replace('999', '99.9')}", answer["latency"][part] / 1e3
            world.load("close", name=scheme)


def traffic(world, scheme, opening):
    """Figures of opening sessions (`opening`), of echoes and of bulk; gives how many are open beside a hundred."""
    world.open(scheme, 100, scheme)
    opened, cpu = world.open(scheme, world.count(2_000), scheme)
    if cpu:
        yield opening, cpu / opened["opened"] * 1e6
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
    return opened["opened"]
