"""Runs items: every proxy once a round, in another order each round, so that a machine's moods meet all alike."""

import subprocess
import sys
import time

from items import item
from machine import Failed
from world import QUICK, World

ROUNDS = 1 if QUICK else 3


def run(name, tools, only=None):
    """What was measured: for each proxy a list of rounds, which map metrics to figures, and `error` to what went wrong."""
    module, measured = item(name), {}
    peers = [peer if isinstance(peer, tuple) else (peer, ROUNDS) for peer in module.PEERS]
    peers = [(peer, rounds) for peer, rounds in peers if not only or peer.name.split(",")[0] in only]
    for turn in range(ROUNDS):
        for peer, rounds in peers[turn:] + peers[:turn]:
            if turn < rounds:
                figures = once(module, peer, tools, turn)
                measured.setdefault(peer.name, []).append(figures)
                say(f"{name}: round {turn + 1}, {peer.name}: {figures.pop('took'):.0f} s{told(figures)}")
    # In the item's order, whoever was first in the last round.
    return {peer.name: measured[peer.name] for peer, _ in peers}


def once(module, peer, tools, turn):
    """One proxy, once. What fails ends its turn, and what was measured before that stays."""
    figures, began = {}, time.monotonic()
    try:
        with World(tools, peer, turn) as world:
            for key, value in module.measure(world):
                figures[key] = value
    except (Failed, OSError, ValueError, KeyError, TypeError, ZeroDivisionError, subprocess.SubprocessError) as error:
        what = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
        # Where the repository lies on this machine is nobody's business.
        figures["error"] = what.replace(f"{tools.bin.parents[1]}/", "")
    return figures | {"took": time.monotonic() - began}


def told(figures):
    return f": {figures['error']}" if "error" in figures else ""


def say(what):
    print(what, file=sys.stderr, flush=True)
