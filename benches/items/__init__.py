"""What is measured: a module an item.

Each has `TITLE`, `PEERS` (classes; a pair with a number is measured in no more rounds than that), `METRICS`, and
`measure(world)`, which yields a metric's key and its figure, one after another.
"""

import importlib

NAMES = ["http", "http2", "connect", "websocket", "memory", "idle", "stream", "policies", "change", "routes", "frames"]
# Measured when asked for by name: it needs what `make bench-cluster` prepares.
ALONE = ["cluster"]


def item(name):
    return importlib.import_module(f"items.{name}")
