"""Processes of a run: started on a core of their own, measured, and ended, whatever happens."""

import contextlib
import os
import platform
import re
import resource
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE, LOAD_CORE = CORES[0], CORES[-1]
TICK = os.sysconf("SC_CLK_TCK")
_used = set()


class Failed(Exception):
    """What was asked for can't be measured, and why."""


def free_port():
    """A port below those that the system gives to clients; never the same one twice."""
    for port in range(18_000, 32_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if port not in _used:
                _used.add(port)
                probe.bind(("127.0.0.1", port))
                return port
    raise Failed("no free port")


def facts():
    """What the figures depend on, of this machine."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {"cpu": model[1] if model else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release()}


def raise_file_limit():
    """Takes for this process and its children all the open files that they may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Process:
    """A program pinned to a core, the head of a process group; killed with its parent, should that be killed."""

    def __init__(self, command, core, log, environment=None, **options):
        self.log = Path(log)
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "taskset", "--cpu-list", str(core), *map(str, command)],
            stdin=options.pop("stdin", subprocess.DEVNULL), stderr=self.log.open("ab"), start_new_session=True,
            stdout=options.pop("stdout", self.log.open("ab")), env=os.environ | (environment or {}), **options,
        )  # fmt: skip
        self.pid = self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def end(self):
        """Kills the whole group and waits for its head; harmless when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()
        wait_for(lambda: not _group(self.pid), "the end of a process group")

    def tail(self):
        """The last words of its log, of those on one line."""
        return " ".join(self.log.read_text(errors="replace").split())[-300:]

    # What it costs

    def tree(self):
        """The process and all that descends from it."""
        found, left = [], [self.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    left.extend(map(int, children.read_text().split()))
        return found

    def pss(self):
        """Bytes of the tree: its proportional set size."""
        total = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        return total

    def cpu(self):
        """What the tree has used so far."""
        threads, ticks = {}, 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                # From the third field on; 14 to 17 are its own time and that of children that it has waited for.
                ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
            for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError):
                    threads[task.parts[2], task.parts[4]] = int(task.read_text().split()[0])
        return Cpu(threads, ticks)


@dataclass
class Cpu:
    """CPU time by thread, in nanoseconds, and that of the processes, ended threads included, in ticks."""

    threads: dict
    ticks: int

    def total(self):
        """Seconds since the start."""
        return self.ticks / TICK

    def since(self, before):
        """Seconds. To the nanosecond, unless a thread has ended meanwhile: then to the tick."""
        if before.threads.keys() <= self.threads.keys():
            return (sum(self.threads.values()) - sum(before.threads.values())) / 1e9
        return (self.ticks - before.ticks) / TICK


def _group(group):
    """The processes of a group that run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of) == group and state != "Z":
                found.append(stat)
    return found


def wait_for(condition, what, timeout=10.0, pause=0.005):
    """Calls until the answer is true, and returns it."""
    deadline = time.monotonic() + timeout
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {timeout:.0f} s")
        time.sleep(pause)
