"""What watching the headers of frames costs Steadygate: its own code alone, in a loop."""

import re
import subprocess

from figures import Metric
from machine import PROXY_CORE, Failed
from peers.direct import Direct

TITLE = "Frame headers watched"
METRICS = [
    Metric("frame", "a message of 125 B, one a read", "ns"),
    Metric("frames", "a message of 125 B, 500 a read", "ns"),
]


class Alone(Direct):
    name = "steadygate"


PEERS = [Alone]


def measure(world):
    command = ["taskset", "--cpu-list", str(PROXY_CORE), "cargo", "bench", "--locked", "--quiet", "--bench", "frames"]
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = dict(re.findall(r"(\d+) a read: ([\d.]+) ns", ran.stdout))
    if not found:
        raise Failed(f"cargo bench: {ran.stderr[-200:]}")
    yield "frame", float(found["1"])
    yield "frames", float(found["500"])
